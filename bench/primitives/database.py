"""Database: an empty one of PostgreSQL, for the row in which a lock goes through it; or why there is none.

On the server that LIGHTWORK_TEST_POSTGRESQL names, else at the usual local address.
"""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def empty_database() -> Iterator[str]:
    """Give the URL of a new database, which is dropped at the end."""
    # Needs psutil and a driver, which no other row does.
    from durable.servers import Postgresql

    server = Postgresql()
    try:
        yield server.url
    finally:
        server.drop()


def why_no_database() -> str:
    """Return why there is no server to be had, or ""."""
    try:
        with empty_database():
            return ""
    except Exception as error:
        return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
