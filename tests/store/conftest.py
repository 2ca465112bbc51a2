"""A fresh store for each test, on each database that there is."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from leftovers import nothing_left_by
from lightwork.net.opening import open_store
from lightwork.store import sqlstore
from lightwork.store.contract import Store
from net.served import offered, shared
from store import servers
from store.databases import mariadb_url, path, postgresql_url, sqlite_url
from store.private_servers import private

__all__ = ["mariadb_url", "path", "postgresql_url", "private", "sqlite_url"]


@pytest.fixture(autouse=True)
def leftovers(request: pytest.FixtureRequest) -> Iterator[None]:
    if "[http" in request.node.name:
        # Before anybody looks what there is: it stays for other tests.
        shared()
    with nothing_left_by(request):
        yield


@pytest.fixture
def mariadb_own_url() -> Iterator[str]:
    """A database whose tables the test may change: it takes a second to make them."""
    with servers.new_database("mariadb") as url:
        yield url


@pytest.fixture
def http_url(sqlite_url: str) -> Iterator[str]:
    """A server of a store in a file."""
    with closing(sqlstore.open_store(sqlite_url)) as behind, offered(behind) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql", "mariadb", "http"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ask a server for what every store offers, and not for what databases do."""
    items[:] = [item for item in items if "[http" not in item.name or _is_for_servers(item)]


def _is_for_servers(item: pytest.Item) -> bool:
    is_conformance = item.path.name.startswith("test_conformance")
    return is_conformance and item.get_closest_marker("database") is None


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()
