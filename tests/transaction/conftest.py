"""Executors and engines of the user's own on one database, of each kind that there is."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine, event

from leftovers import nothing_left_by
from lightwork.durable.executor import DurableExecutor
from store.databases import mariadb_url, path, postgresql_url, sqlite_url, url
from transaction.notes import Row

__all__ = ["mariadb_url", "path", "postgresql_url", "sqlite_url", "url"]


@pytest.fixture(autouse=True)
def leftovers(request: pytest.FixtureRequest) -> Iterator[None]:
    with nothing_left_by(request):
        yield


@pytest.fixture
def executor(url: str) -> Iterator[DurableExecutor]:
    """No worker: jobs are only kept."""
    with DurableExecutor(url) as opened:
        yield opened


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """The user's own engine, with a table of theirs."""
    made = create_engine(url)
    # First: in a transaction that has looked, CREATE is refused at once if anybody wrote meanwhile.
    Row.metadata.create_all(made)
    made.dispose()
    if made.dialect.name == "sqlite":
        begin_like_others(made)
    yield made
    made.dispose()


def begin_like_others(engine: Engine) -> None:
    """What SQLAlchemy's manual advises: sqlite3 begins too late for savepoints."""

    @event.listens_for(engine, "connect")
    def _connect(connection: object, _record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]

    @event.listens_for(engine, "begin")
    def _begin(connection: object) -> None:
        connection.exec_driver_sql("BEGIN")  # type: ignore[attr-defined]
