"""At which reach each test is run: what a primitive does is the same wherever it lives."""

import uuid
from collections.abc import Iterator
from contextlib import closing

import pytest

from lightwork.store import sqlstore
from lightwork.sync import opening
from net.served import offered
from store.databases import mariadb_url, path, postgresql_url, sqlite_url

__all__ = ["mariadb_url", "path", "postgresql_url", "sqlite_url"]

STORES = ("sqlite", "postgresql", "mariadb", "http")
WHERE = ("threads", "processes", *STORES)


@pytest.fixture
def http_url(sqlite_url: str) -> Iterator[str]:
    """A server of a store in a file."""
    with closing(sqlstore.open_store(sqlite_url)) as behind, offered(behind) as url:
        yield url


@pytest.fixture(params=WHERE)
def where(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return a place where nobody else has anything."""
    if request.param not in STORES:
        yield str(request.param)
        return
    yield str(request.getfixturevalue(f"{request.param}_url"))
    close_stored()


@pytest.fixture
def name() -> str:
    """Return a name that nobody else has."""
    return f"test {uuid.uuid4().hex}"


def close_stored() -> None:
    """Close what this process has opened by a URL: the next test has other places."""
    hosts = {one: host for one, host in opening._hosts.items() if "://" in one}
    for one, host in hosts.items():
        host.close()
        del opening._hosts[one]
