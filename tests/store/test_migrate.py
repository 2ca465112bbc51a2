"""Migrations: one truth about the tables, on every database."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

import lightwork.store
from lightwork.errors import SchemaMismatch
from lightwork.lifecycle import Succeeded
from lightwork.model import Limit, UniqueKey
from lightwork.store import migrate
from lightwork.store.contract import Store
from lightwork.store.opening import kind_of
from lightwork.store.sql import schema
from lightwork.store.sqlite.engine import writing_engine
from lightwork.store.sqlstore import open_store
from lightwork.store.tables import metadata
from store.steps import LANES, claim_one, execute, new_job, registered

MIGRATIONS = Path(lightwork.store.__file__).parent / "migrations"


@contextmanager
def writable(url: str) -> Iterator[Connection]:
    if url.startswith("sqlite"):
        # The door of a file is for looking only.
        with writing_engine(Path(url.removeprefix("sqlite:///"))).begin() as connection:
            yield connection
    else:
        with kind_of(url).connect(url) as connection, connection.begin():
            yield connection


def step_by_step(url: str) -> None:
    """Make the tables as a store of the first revision came to have them."""
    open_store(url).close()
    with writable(url) as connection:
        metadata.drop_all(connection)
        connection.exec_driver_sql(f"DELETE FROM {schema.VERSION_TABLE}")
        schema.migrate(connection)


def downgrade(url: str, to: str) -> None:
    """Bring the tables back to what an older program had."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with writable(url) as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, to)


@pytest.mark.parametrize("make", [migrate.upgrade, step_by_step])
def test_alembic_sees_no_difference(url: str, make: Callable[[str], object]) -> None:
    make(url)
    # MariaDB has names of its own for texts of each length.
    has_lengths = not url.startswith("mariadb")
    options = {"version_table": schema.VERSION_TABLE, "compare_type": has_lengths}

    with kind_of(url).connect(url) as connection:
        context = MigrationContext.configure(connection, opts=options)
        differences = compare_metadata(context, metadata)

    assert differences == []


def test_known_revisions_are_those_of_the_files() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")

    scripts = ScriptDirectory.from_config(config)

    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == schema.REVISIONS


def test_new_store_is_current(url: str) -> None:
    open_store(url).close()

    assert migrate.check(url) == schema.REVISIONS[-1]


def test_job_that_held_a_unique_key_before_it_had_a_column_takes_it_again(url: str) -> None:
    key = UniqueKey(bytes(16), "end", 0.0, "skip")
    first, second = (replace(new_job(), unique=key) for _ in range(2))
    with closing(open_store(url)) as store:
        store.submit([first])
    downgrade(url, "0012")

    migrate.upgrade(url)

    with closing(open_store(url)) as store:
        store.cancel([first.id])
        store.retry([first.id])
        assert store.submit([second]) == [False]


def test_jobs_that_wait_for_a_limit_since_before_lanes_were_told_go_on(url: str) -> None:
    limit = Limit("a", running=1)
    waiting = [replace(new_job(), limits=(limit,)) for _ in range(3)]
    with closing(open_store(url)) as store:
        worker = registered(store)
        store.submit(waiting)
        (running,) = store.claim(worker, lanes=LANES, limit=9)
    downgrade(url, "0013")

    migrate.upgrade(url)

    with closing(open_store(url)) as store:
        store.ack(worker, [(running, Succeeded(b""))])
        assert claim_one(store, worker).job_id == waiting[1].id
        assert store.check() == []


def test_newer_store_is_refused(store: Store) -> None:
    execute(store, "UPDATE lightwork_version SET version_num = '9999'")
    store.close()

    with pytest.raises(SchemaMismatch, match="upgrade lightwork"):
        open_store(store.url)


def test_store_opened_again_keeps_its_jobs(url: str) -> None:
    open_store(url).close()

    store = open_store(url)

    assert store.check() == []
    store.close()
