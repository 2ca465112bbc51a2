"""Opening: from the URL of a store to the database that keeps it.

The one place that knows which databases there are; each has a folder, whose
`database.py` says what can be done with a URL.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol, cast

from sqlalchemy import Connection

from lightwork.errors import UsageError
from lightwork.store.database import Database
from lightwork.store.sql.engines.job_engine import JobEngine
from lightwork.store.sqlite import database as sqlite
from lightwork.store.urls import EXPECTED, parse, safe_url


class Kind(Protocol):
    """One kind of database: what is done with a URL before anything is open."""

    def open_database(self, url: str, *, create: bool) -> Database:
        """Open it; bring its tables up to date where that needs nobody's decision."""

    def connect(self, url: str) -> AbstractContextManager[Connection]:
        """Connect to one that is there, to look at its tables whatever they are."""

    def upgrade(self, url: str) -> None:
        """Make its tables, or bring them up to date."""

    def open_job_engine(self, url: str) -> JobEngine:
        """Return connections for jobs that change it in their own transaction."""

    def backup(self, url: str, place: Path) -> None:
        """Write a copy of it into a new file, while others work.

        Raises:
            UsageError: It has programs of its own for that; the text shows which.
        """

    def files_of(self, url: str) -> list[Path]:
        """Return the files that are it and nothing else; none of a database on a server."""


# The folders of those on servers: imported when they are used, for a dialect takes as long to
# import as a file to open. (SQLite's must know of every fork.)
_ON_SERVERS: Final[Mapping[str, str]] = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mariadb",
    "mariadb": "mariadb",
}

# Of `lightwork serve`, which offers what a store does, and not its tables.
_SERVERS: Final = ("http", "https")


def kind_of(url: str) -> Kind:
    """Return what knows the databases that the URL is one of.

    Raises:
        UsageError: Stores cannot be kept there.
    """
    dialect = parse(url).get_backend_name()
    if dialect == "sqlite":
        return sqlite
    folder = _ON_SERVERS.get(dialect)
    if dialect in _SERVERS:
        raise UsageError(
            f"{safe_url(url)} is a server that offers a store; this needs the store's database itself: "
            "name that, on a machine that reaches it"
        )
    if folder is None:
        raise UsageError(
            f"store {safe_url(url)}: stores are kept in SQLite, PostgreSQL and MariaDB or MySQL; "
            f"{EXPECTED}"
        )
    return cast("Kind", import_module(f"lightwork.store.{folder}.database"))
