"""Migrations: one truth about the tables, upgrades that two processes may start at once."""

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine

import lightwork.store
from lightwork.errors import SchemaMismatch, StoreError
from lightwork.store import migrate, schema
from lightwork.store.engine import writing_engine
from lightwork.store.sqlstore import SqlStore, open_store
from lightwork.store.tables import metadata

MIGRATIONS = Path(lightwork.store.__file__).parent / "migrations"


def set_revision(path: Path, revision: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE lightwork_version SET version_num = ?", (revision,))
    connection.close()


def objects(path: Path) -> dict[str, str]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    # SQLAlchemy prints a plain string's quotes and blanks as it likes.
    found = {name: " ".join(sql.replace('"', "").split()) for name, sql in rows}
    connection.close()
    return {name: sql for name, sql in found.items() if "lightwork_version" not in name}


def test_migrations_make_the_tables_of_the_program(url: str, path: Path, tmp_path: Path) -> None:
    migrate.upgrade(url)
    expected = tmp_path / "expected.db"
    metadata.create_all(create_engine(f"sqlite:///{expected}", poolclass=NullPool))

    assert objects(path) == objects(expected)


def test_alembic_sees_no_difference(url: str, path: Path) -> None:
    migrate.upgrade(url)
    # Indexes of dialects without partial ones are conditional, which Alembic does not see.
    options = {
        "version_table": schema.VERSION_TABLE,
        "include_name": lambda name, kind, _parents: kind != "index" or not name.endswith("_full"),
        "include_object": lambda _object, name, kind, *_rest: (
            kind != "index" or not name.endswith("_full")
        ),
    }

    with writing_engine(path).connect() as connection:
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


def test_newer_store_is_refused(url: str, path: Path) -> None:
    open_store(url).close()
    set_revision(path, "9999")

    with pytest.raises(SchemaMismatch, match="upgrade lightwork"):
        open_store(url)


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
    connection.execute("CREATE INDEX job_finished ON other (n)")
    connection.close()

    with pytest.raises(StoreError):
        open_store(url)

    assert set(objects(path)) == {"other", "job_finished"}


def test_jobs_of_before_the_fifth_revision_are_blamed_as_they_were(path: Path, url: str) -> None:
    migrate.upgrade(url)
    with writing_engine(path).connect() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        with connection.begin():
            command.downgrade(config, "0004")
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
    rows = raw.execute("SELECT begun, idempotent FROM job ORDER BY seq").fetchall()
    raw.close()
    assert rows == [(1, 1), (0, 0), (0, 1)]


def test_store_opened_again_keeps_its_jobs(url: str) -> None:
    open_store(url).close()

    with SqlStore(url) as store:
        assert store.check() == []
