"""A store for each test, on each database and behind a server, and hosts that are closed after it."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from leftovers import nothing_left_by
from lightwork.net.opening import open_store
from lightwork.store import sqlstore
from lightwork.store.contract import Store
from lightwork.sync.stored.host import StoredHost, open_stored
from net.served import offered, shared
from store.databases import mariadb_url, path, postgresql_url, sqlite_url
from sync.stored.programs import Program

__all__ = ["mariadb_url", "path", "postgresql_url", "sqlite_url"]

OpenHost = Callable[..., StoredHost]
StartProgram = Callable[..., Program]


@pytest.fixture(autouse=True)
def leftovers(request: pytest.FixtureRequest) -> Iterator[None]:
    if "[http" in request.node.name:
        # Before anybody looks what there is: it stays for other tests.
        shared()
    with nothing_left_by(request):
        yield


@pytest.fixture
def http_url(sqlite_url: str) -> Iterator[str]:
    with closing(sqlstore.open_store(sqlite_url)) as behind, offered(behind) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql", "mariadb", "http"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with closing(open_store(url)) as opened:
        yield opened


@pytest.fixture
def open_host(url: str) -> Iterator[OpenHost]:
    """Open a host as another process would, with a session of its own."""
    hosts: list[StoredHost] = []

    def open_one(*, lease: float = 60.0) -> StoredHost:
        hosts.append(open_stored(url, lease=lease))
        return hosts[-1]

    yield open_one
    for host in hosts:
        host.close()


@pytest.fixture
def start(url: str) -> Iterator[StartProgram]:
    """Start a process that uses the same store."""
    programs: list[Program] = []

    def start_one(*, lease: float = 60.0) -> Program:
        programs.append(Program(url, lease))
        return programs[-1]

    yield start_one
    for program in programs:
        program.close()
