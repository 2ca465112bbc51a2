"""Dead rows: workers remove them soon, and say who keeps them where that is in vain."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import NullPool, create_engine, make_url, text

from lightwork.lifecycle import Succeeded
from lightwork.store.postgresql import dead_rows
from lightwork.store.postgresql.dead_rows import DeadRows
from lightwork.store.postgresql.marks import Marks
from lightwork.store.sqlstore import SqlStore
from lightwork.work.upkeep import Upkeep
from store.servers import execute, server
from store.steps import LANES, new_job, registered, scalar
from waiting import wait_until


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let little be much, and soon be late."""
    monkeypatch.setattr(dead_rows, "FEW", 100)
    monkeypatch.setattr(dead_rows, "HELD", 0.0)


def sweeper(store: SqlStore) -> DeadRows:
    return DeadRows(store.database.look, "here", Marks())


def sweep(dead: DeadRows) -> None:
    """Have one turn, as if the last one were long ago."""
    for table in dead._tables.values():
        table.vacuum_at = 0.0
    dead.sweep_now()


@contextmanager
def held_open(url: str, look: str = "SELECT count(*) FROM worker") -> Iterator[int]:
    """A transaction of somebody who has looked at a table once, more than a second ago; yield whose."""
    engine = create_engine(url, poolclass=NullPool, isolation_level="REPEATABLE READ")
    with engine.connect() as connection:
        connection.execute(text(look))
        connection.execute(text("SELECT pg_sleep(1.1)"))
        yield int(connection.scalar(text("SELECT pg_backend_pid()")) or 0)
    engine.dispose()


def run_jobs(url: str, count: int) -> None:
    """Run them, by a program that then ends: what it has counted is known to the server only then."""
    with SqlStore(url) as store:
        worker = registered(store)
        store.submit([new_job() for _ in range(count)])
        for _ in range(count // 100):
            claimed = store.claim(worker, lanes=LANES, limit=100)
            store.ack(worker, [(attempt, Succeeded(b"")) for attempt in claimed])
        store.sign_off(worker)


def dead_of(store: SqlStore, table: str) -> int:
    return int(scalar(store, f"SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname='{table}'"))


def wait_until_counted(store: SqlStore) -> None:
    wait_until(
        lambda: min(dead_of(store, "ready"), dead_of(store, "running")) >= 400,
        "the server has counted what is dead",
    )


def test_a_vacuum_removes_what_nobody_may_see(store: SqlStore, url: str) -> None:
    dead = sweeper(store)
    run_jobs(url, 400)
    wait_until_counted(store)

    def are_few() -> bool:
        # Others use the server, too: what is held open for a moment keeps rows of all its databases.
        sweep(dead)
        return max(dead_of(store, "ready"), dead_of(store, "running")) <= dead_rows.FEW

    wait_until(are_few, "they are removed")


def test_who_holds_a_transaction_open_is_named_once(
    store: SqlStore, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "lightwork.store.postgresql.dead_rows")
    dead = sweeper(store)
    with held_open(url):
        run_jobs(url, 400)
        wait_until_counted(store)
        sweep(dead)
        sweep(dead)

        assert dead_of(store, "ready") >= 400
        assert dead._marks.are_in_force
    held = [line for line in caplog.messages if line.startswith("dead_rows_held")]
    assert sorted(line.split()[2] for line in held) == ["table=ready", "table=running"]
    assert all("pid " in line for line in held)

    def is_told() -> bool:
        sweep(dead)
        return sum(line.startswith("dead_rows_removed") for line in caplog.messages) == 2

    wait_until(is_told, "it is told that they are removed")
    assert not dead._marks.are_in_force


def test_an_older_transaction_in_another_database_is_not_blamed(
    store: SqlStore, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "lightwork.store.postgresql.dead_rows")
    elsewhere = str(server("postgresql").render_as_string(hide_password=False))
    with (
        held_open(elsewhere, "SELECT count(*) FROM pg_class") as innocent,
        held_open(url) as holder,
    ):
        dead = sweeper(store)
        run_jobs(url, 400)
        wait_until_counted(store)
        sweep(dead)
        sweep(dead)

    held = [line for line in caplog.messages if line.startswith("dead_rows_held")]
    assert held
    assert all(f"pid {holder}," in line and f"pid {innocent}," not in line for line in held)


def test_tables_of_somebody_else_are_left_to_the_server(
    store: SqlStore, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    role = f"lightwork_guest_{make_url(url).database}"
    execute(url, f"CREATE ROLE {role} LOGIN")
    try:
        execute(
            url, f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"
        )
        guest = make_url(url).set(username=role)
        with SqlStore(guest.render_as_string(hide_password=False)) as theirs:
            dead = sweeper(theirs)
            run_jobs(url, 400)
            wait_until_counted(store)

            sweep(dead)
            sweep(dead)

        assert dead_of(store, "ready") >= 400
        assert caplog.messages == []
    finally:
        execute(url, f"DROP OWNED BY {role}")
        execute(url, f"DROP ROLE {role}")


def test_upkeep_sweeps_after_changes_and_never_while_nothing_changes(store: SqlStore) -> None:
    changes, turns = [1], []

    class Counted(SqlStore):
        def sweep(self) -> None:
            turns.append(changes[0])

    with Counted(store.database.url) as counted:
        upkeep = Upkeep(counted, 60.0, changes=lambda: changes[0])
        for number in (1, 1, 2, 2, 2, 3):
            changes[0] = number
            upkeep._sweep_at = 0.0
            upkeep.do_due()

    assert turns == [1, 2, 3]
