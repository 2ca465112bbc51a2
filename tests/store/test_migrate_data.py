"""A store of one row per job, on servers: after its migration it shows what the same file shows."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, MetaData, Table, text

from lightwork.errors import SchemaMismatch
from lightwork.lifecycle import Succeeded
from lightwork.model import State
from lightwork.store import migrate
from lightwork.store.opening import kind_of
from lightwork.store.sql import schema
from lightwork.store.sqlstore import SqlStore
from store import servers
from store.steps import registered, submitted, view_of

BEFORE = Path(__file__).parent / "sqlite" / "store_0005.sql"
# What only SQLite keeps: text in numbers, bytes in texts.
DAMAGED = "DELETE FROM job WHERE seq IN (20, 21, 23, 24, 25)"


@pytest.fixture(params=["postgresql", "mariadb"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    with servers.new_database(request.param) as made:
        yield made


@pytest.fixture
def before(path: Path) -> Path:
    """A file of the fifth revision: every state, attempts, progress, jobs that are unwanted."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(BEFORE.read_text())
        connection.execute(DAMAGED)
        connection.commit()
    return path


@pytest.fixture
def copied(before: Path, url: str) -> str:
    """The same on a server."""
    with kind_of(url).connect(url) as connection, connection.begin():
        schema.migrate(connection, "0005")
        with closing(sqlite3.connect(before)) as source:
            source.row_factory = sqlite3.Row
            for name in ("job", "attempt", "worker", "tally"):
                _copy(source, connection, name)
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT setval(pg_get_serial_sequence('job', 'seq'), 28)"))
    return url


def _copy(source: sqlite3.Connection, target: Connection, name: str) -> None:
    table = Table(name, MetaData(), autoload_with=target)
    rows = [dict(row) for row in source.execute(f"SELECT * FROM {name}")]
    target.execute(table.insert(), rows)


def shown(store: SqlStore) -> list[str]:
    jobs = store.jobs(limit=1000)
    attempts = [attempt for job in jobs for attempt in store.attempts(job.id)]
    workers = sorted(store.workers(include_dead=True), key=lambda view: view.id)
    return [repr(view) for view in (*jobs, *attempts, *workers)]


def test_a_server_that_was_upgraded_shows_what_a_file_does(
    before: Path, copied: str, sqlite_url: str
) -> None:
    migrate.upgrade(copied)

    with SqlStore(sqlite_url) as file, SqlStore(copied) as store:
        assert len(shown(file)) > 20
        assert shown(store) == shown(file)
        # Values are looked at in a file only.
        assert set(store.check()) <= set(file.check())


def test_a_server_that_was_upgraded_goes_on(copied: str) -> None:
    migrate.upgrade(copied)

    with SqlStore(copied) as store:
        new = submitted(store)
        worker = registered(store)
        lanes = store.lanes(["default", "q", "other"])
        claimed = store.claim(worker, lanes=lanes, limit=100)
        assert new in [attempt.job_id for attempt in claimed]
        assert store.ack(worker, [(attempt, Succeeded(b"")) for attempt in claimed]) == []
        store.repair()

        assert view_of(store, new).seq > 27
        # What was blocked by nothing that anybody knows goes on.
        assert {view.state for view in store.jobs()} == set(State) - {State.BLOCKED}
        assert store.check() == []


def test_an_older_server_is_opened_by_nobody_and_changed_by_nobody(copied: str) -> None:
    with pytest.raises(SchemaMismatch, match="db upgrade"):
        SqlStore(copied)
    with pytest.raises(SchemaMismatch, match="0005"):
        migrate.check(copied)

    with kind_of(copied).connect(copied) as connection:
        assert schema.revision(connection) == "0005"
