"""Migrations of a file: the tables as text, what is there already, what was there before."""

import re
import sqlite3
import uuid
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

import lightwork.store
from lightwork.errors import SchemaMismatch, StoreError
from lightwork.model import State
from lightwork.store import migrate
from lightwork.store.sql import schema
from lightwork.store.sqlite.engine import writing_engine
from lightwork.store.sqlstore import SqlStore, open_store
from store.steps import submitted, view_of

MIGRATIONS = Path(lightwork.store.__file__).parent / "migrations"


def objects(path: Path) -> dict[str, str]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    # SQLAlchemy prints a plain string's quotes and blanks as it likes.
    found = {name: " ".join(sql.replace('"', "").split()) for name, sql in rows}
    connection.close()
    return {name: sql for name, sql in found.items() if "lightwork_version" not in name}


def test_migrations_make_the_tables_of_the_program(path: Path, tmp_path: Path) -> None:
    path.touch()
    with writing_engine(path).connect() as connection, connection.begin():
        schema.migrate(connection)
    expected = tmp_path / "expected.db"
    migrate.upgrade(f"sqlite:///{expected}")

    assert objects(path) == objects(expected)


def test_database_without_our_tables_is_not_current(url: str, path: Path) -> None:
    sqlite3.connect(path).execute("CREATE TABLE customer (name TEXT)").connection.close()

    with pytest.raises(SchemaMismatch, match="db upgrade"):
        migrate.check(url)


def test_check_makes_no_file(url: str, path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        migrate.check(url)

    assert not path.exists()


def test_upgrade_twice_changes_nothing(url: str, path: Path) -> None:
    migrate.upgrade(url)
    before = objects(path)

    migrate.upgrade(url)

    assert objects(path) == before


def test_upgrade_that_fails_leaves_nothing_behind(url: str, path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE other (n)")
    # The name of one of our indexes is taken: creating it fails after the tables.
    connection.execute("CREATE INDEX scheduled_due ON other (n)")
    connection.close()

    with pytest.raises(StoreError):
        open_store(url)

    assert set(objects(path)) == {"other", "scheduled_due"}


def config_for(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def test_jobs_of_before_the_fifth_revision_are_blamed_as_they_were(path: Path, url: str) -> None:
    path.touch()
    with writing_engine(path).connect() as connection, connection.begin():
        command.upgrade(config_for(connection), "0004")
        for number, (state, policy) in enumerate(
            [("running", ""), ("ready", '{"retries":1,"idempotent":false}'), ("ready", "")]
        ):
            connection.exec_driver_sql(
                "INSERT INTO job (id, task, queue, priority, state, payload, policy, created_at)"
                " VALUES (?, 't:t', 'default', 0, ?, x'', ?, 0)",
                (bytes([number]) * 16, state, policy),
            )

    migrate.upgrade(url)

    raw = sqlite3.connect(path)
    rows = raw.execute(
        "SELECT begun, idempotent FROM job LEFT JOIN running USING (seq) ORDER BY seq"
    ).fetchall()
    raw.close()
    assert rows == [(1, 1), (None, 0), (None, 1)]


# A store of the fifth revision, one row for each job: every state, attempts, progress, jobs
# that are unwanted, and damaged values. Beside it what that program said of its jobs.
BEFORE = Path(__file__).with_name("store_0005.sql")
VIEWS = Path(__file__).with_name("store_0005.txt")
# Fields that a job has had since, at their defaults.
_WHAT_CAME_LATER = re.compile(
    r", (at|signal|peak_memory|expires|expires_at|unique|limits?|tags|headers)=(None|0\.0|\(\)|\{\})"
)


@pytest.fixture
def before(path: Path) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(BEFORE.read_text())
    connection.close()
    return path


def test_store_of_one_row_per_job_shows_the_same_afterwards(before: Path, url: str) -> None:
    with SqlStore(url) as store:
        jobs = store.jobs(limit=1000)
        attempts = [attempt for job in jobs[::-1] for attempt in store.attempts(job.id)]
        shown = [_WHAT_CAME_LATER.sub("", repr(view)) for view in (*jobs, *attempts)]

    expected = VIEWS.read_text().splitlines()
    # What the new tables cannot say: a job that runs for nobody, an end that nobody knows when.
    nobody, created_at = repr(uuid.UUID(int=0)), repr(jobs[0].created_at)
    expected[1] = expected[1].replace("worker=None", f"worker={nobody}")
    expected[0] = expected[0].replace("finished_at=None", f"finished_at={created_at}")
    assert shown == expected


def test_store_of_one_row_per_job_goes_on(before: Path, url: str) -> None:
    with SqlStore(url) as store:
        new = submitted(store)
        store.repair()

        # The last of before was pruned; its number was 28.
        assert store.check() == []
        assert view_of(store, new).seq == 29
        # What was blocked by nothing that anybody knows goes on.
        assert {view.state for view in store.jobs()} == set(State) - {State.BLOCKED}


def test_way_back_is_refused(url: str, path: Path) -> None:
    migrate.upgrade(url)
    with writing_engine(path).connect() as connection, connection.begin():
        config = config_for(connection)

        with pytest.raises(NotImplementedError, match="copy of the store"):
            command.downgrade(config, "0005")
