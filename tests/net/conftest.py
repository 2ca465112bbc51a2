"""A store in a file, and the same behind a server."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from leftovers import nothing_left_by
from lightwork.net.client.client import ServerStore
from lightwork.net.server.app import App
from lightwork.store.contract import Store
from lightwork.store.sqlstore import open_store
from net.served import served


@pytest.fixture(autouse=True)
def leftovers(request: pytest.FixtureRequest) -> Iterator[None]:
    with nothing_left_by(request):
        yield


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path}/work.db")) as store:
        yield store


@pytest.fixture
def app(database: Store) -> App:
    return App(database)


@pytest.fixture
def url(app: App) -> Iterator[str]:
    with served(app) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[ServerStore]:
    with ServerStore(url) as store:
        yield store
