"""What a store in a SQLite file promises beyond the contract: plans, locks, a full disk."""

import sqlite3
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Select, select

from lightwork.errors import SchemaMismatch, StoreError, StoreUnavailable
from lightwork.model import Lane, State
from lightwork.store.admin import counts, news, queries
from lightwork.store.operations import claiming
from lightwork.store.orm import Job
from lightwork.store.sql import ends, jobs, lanes, upkeep
from lightwork.store.sqlite.batches.moving import together
from lightwork.store.sqlite.database import SqliteDatabase
from lightwork.store.sqlite.engine import writing_engine
from lightwork.store.sqlite.file import SqliteFile
from lightwork.store.sqlite.spelling import SPELLING
from lightwork.store.sqlstore import SqlStore, open_store
from lightwork.store.tables.jobs import STATE_TABLES, TABLE_OF
from store.steps import LANES, claim_one, new_job, registered, submitted


def child(code: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def shared_file(store: SqlStore) -> SqliteFile:
    assert isinstance(store.database, SqliteDatabase)
    return store.database.file


@pytest.fixture
def file_store(store: SqlStore) -> SqlStore:
    return store


# Durability and sharing.


def test_commits_survive_a_power_cut(file_store: SqlStore) -> None:
    def pragmas(connection: Any) -> tuple[str, int]:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        return mode, connection.exec_driver_sql("PRAGMA synchronous").scalar()

    assert shared_file(file_store).writer.post(pragmas) == ("wal", 2)


def test_file_in_another_journal_mode_is_brought_to_wal(url: str, path: Path) -> None:
    open_store(url).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()

    with SqlStore(url):
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()


def test_stores_of_one_file_share_one_writer(file_store: SqlStore, path: Path) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)

    with SqlStore(f"sqlite:///{link}") as other:
        assert shared_file(other) is shared_file(file_store)


def test_one_store_closes_and_the_other_goes_on(file_store: SqlStore, url: str) -> None:
    SqlStore(url).close()

    assert file_store.submit([new_job()]) == [True]


def test_reading_connections_cannot_write(file_store: SqlStore) -> None:
    def write(connection: Any) -> None:
        connection.exec_driver_sql("DELETE FROM job")

    with pytest.raises(StoreError, match="read-only"):
        file_store._read(write)


def test_driver_sums_the_row_counts_of_executemany(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE t (n)")
    connection.executemany("INSERT INTO t VALUES (?)", [(1,), (2,), (3,)])

    cursor = connection.executemany("UPDATE t SET n = 0 WHERE n = ?", [(1,), (9,), (2,), (3,)])

    assert cursor.rowcount == 3
    connection.close()


def test_database_that_foreign_hands_emptied_says_so(file_store: SqlStore, path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE job")
    connection.close()

    with pytest.raises(SchemaMismatch, match="no such table"):
        submitted(file_store)


@pytest.fixture
def impossible(file_store: SqlStore, path: Path) -> SqlStore:
    """A store whose older job has a state that nobody knows."""
    file_store.cancel([submitted(file_store)])
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE outcome SET state = 'asleep'")
    connection.close()
    return file_store


def test_job_in_an_impossible_state_holds_up_nobody(impossible: SqlStore) -> None:
    job_id = submitted(impossible)

    assert claim_one(impossible, registered(impossible)).job_id == job_id


def test_check_names_a_job_in_an_impossible_state(impossible: SqlStore) -> None:
    assert impossible.check()[0] == "1 rows of outcome: state is no known state: seq 1"


def test_listing_names_a_job_in_an_impossible_state(impossible: SqlStore) -> None:
    with pytest.raises(StoreError, match="'asleep'"):
        impossible.jobs()


# Plans: recurring statements are answered by an index, or by a table of unfinished rows.

MOVES = {
    "claim": lanes.CLAIM,
    "promote": upkeep.PROMOTE,
    "cancel": jobs.CANCEL[State.READY],
    **{f"end {kind.__name__}": move for kind, move in ends.END.items()},
}
RECURRING = {
    "next of a lane": lanes.NEXT_OF_LANE,
    "lanes": lanes.LANES,
    "best of lanes": lanes.best_of(4),
    "next of lanes": lanes.NEXT_CHOSEN,
    "cancel requests": ends.CANCEL_REQUESTS,
    "due": upkeep.DUE,
    "next due": upkeep.NEXT_DUE_IN,
    "rescue": ends.ABANDONED,
    "sign off": ends.HELD_BY,
    **{f"prune {state}": found for state, found in upkeep.PRUNABLE.items()},
    "prune workers": upkeep.DELETE_WORKERS,
    "states": jobs.STATES,
    "outcomes": jobs.OUTCOMES,
    "oldest": queries.OLDEST_READY,
    "waited": queries.WAITED,
    "new jobs": news.NEW_JOBS,
    **{f"news of {state}": found for state, found in news.ENDED_JOBS.items()},
    "news of attempts": news.ENDED_ATTEMPTS,
    "queues": counts.QUEUES,
    "ready of a queue": counts.READY,
    "ready of a lane": counts.READY_OF_LANE,
    **{f"depth of {state}": depth for state, depth in counts.OTHERS.items()},
    **{f"{name}, leave": move.delete for name, move in MOVES.items()},
    **{f"{name}, come": move.insert for name, move in MOVES.items()},
    **{f"{name}, leave together": together(move)[1] for name, move in MOVES.items()},
    **{f"{name}, come together": together(move)[0] for name, move in MOVES.items()},
}
UNFINISHED = ("running", "ready", "scheduled", "blocked")


def plan_of(path: Path, statement: Any) -> list[str]:
    """Return the steps of SQLite's plan."""
    engine = writing_engine(path)
    if isinstance(statement, Select):
        given: dict[str, Any] = {"b_ids": [uuid.uuid4()], "b_seqs": [1], "b_worker": uuid.uuid4()}
        names = statement.compile(dialect=engine.dialect).params
        statement = statement.params(
            {name: given.get(name, 1) for name in names if name[:2] == "b_"}
        )
    compiled = statement.compile(
        dialect=engine.dialect, compile_kwargs={"render_postcompile": True}
    )
    values = tuple(1 for _name in compiled.positiontup or ())
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values)
        return [row.detail for row in rows]


@pytest.mark.parametrize("name", RECURRING)
def test_recurring_statement_reads_no_finished_rows(store: SqlStore, path: Path, name: str) -> None:
    plan = plan_of(path, RECURRING[name])

    tables = {*UNFINISHED, "job", "outcome"}
    walks = [step for step in plan if step.startswith(("SCAN", "SEARCH"))]
    walks = [step for step in walks if step.split()[1] in tables]
    assert walks
    scanned = {step.split()[1] for step in walks if step.startswith("SCAN")}
    assert scanned <= set(UNFINISHED)


@pytest.mark.parametrize(
    "name",
    ["best of lanes", "next of a lane", "due", "rescue", "oldest", "new jobs", "news of failed"],
)
def test_nothing_is_sorted(store: SqlStore, path: Path, name: str) -> None:
    assert not any("TEMP B-TREE" in step for step in plan_of(path, RECURRING[name]))


@pytest.mark.parametrize("name", [name for name in RECURRING if name.endswith("together")])
def test_jobs_that_move_together_are_found_by_their_numbers(
    store: SqlStore, path: Path, name: str
) -> None:
    plan = plan_of(path, RECURRING[name])

    walks = [step for step in plan if set(step.split()) & {*UNFINISHED, "job"}]
    assert walks
    assert all("USING INTEGER PRIMARY KEY" in step for step in walks)


def test_several_lanes_are_merged(store: SqlStore, path: Path) -> None:
    assert "MERGE (UNION ALL)" in plan_of(path, lanes.best_of(4))


@pytest.mark.parametrize("state", list(State))
def test_jobs_of_a_state_are_found_through_its_table_and_no_other(
    store: SqlStore, path: Path, state: State
) -> None:
    plan = plan_of(path, select(Job.task).where(Job.state == state))

    words = {word for step in plan for word in step.split()}
    assert words & {"job", *(table.name for table in STATE_TABLES)} == {"job", TABLE_OF[state].name}
    assert not any(step.startswith("SCAN job") for step in plan)


def steps_of(store: SqlStore, change: Callable[[Connection], object]) -> int:
    """Return how many hundreds of steps SQLite takes for a change."""
    taken = []

    def count(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(lambda: taken.append(1), 100)
        try:
            change(connection)
        finally:
            driver.set_progress_handler(None, 0)

    shared_file(store).writer.post(count)
    return len(taken)


@pytest.mark.parametrize("known", [LANES, [*LANES, Lane("default", "jobs:rest")]])
def test_many_jobs_of_unknown_tasks_cost_a_claim_nothing(
    file_store: SqlStore, known: list[Lane]
) -> None:
    worker = registered(file_store)

    def claim(connection: Connection) -> None:
        assert len(claiming.claim(connection, SPELLING, worker, lanes=known, limit=1, ahead=0)) == 1

    def look(connection: Connection) -> None:
        claiming.lanes(connection, SPELLING, ["default"])

    submitted(file_store)
    submitted(file_store)
    alone = steps_of(file_store, claim), steps_of(file_store, look)
    file_store.submit([new_job(task="mail:send", priority=9) for _ in range(5000)])

    beside = steps_of(file_store, claim), steps_of(file_store, look)

    # Scanning them would take several hundred.
    assert beside[0] <= alone[0] + 3
    assert beside[1] <= alone[1] + 3


# Locks.

HOLD_LOCK = """
import sys
from pathlib import Path
from lightwork.store.sqlite.filelock import FileLock
with FileLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_wait_for_a_lock_ends_with_the_number_of_its_holder(
    file_store: SqlStore, path: Path
) -> None:
    with child(HOLD_LOCK, f"{path}-lock") as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"

        with pytest.raises(StoreUnavailable, match=f"process {holder.pid};"):
            shared_file(file_store).writer.post(lambda _connection: None, patience=0.01)

        holder.communicate("")


def test_abandoned_write_does_not_happen_later(file_store: SqlStore, path: Path) -> None:
    ran = threading.Event()

    def write(_connection: object) -> None:
        ran.set()

    with child(HOLD_LOCK, f"{path}-lock") as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(StoreUnavailable):
            shared_file(file_store).writer.post(write, patience=0.01)
        holder.communicate("")
    # Written after the abandoned one would have been.
    submitted(file_store)

    assert not ran.is_set()


def test_killed_holder_gives_the_lock_back(file_store: SqlStore, path: Path) -> None:
    with child(HOLD_LOCK, f"{path}-lock") as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        holder.kill()
        holder.communicate()

    assert file_store.submit([new_job()]) == [True]


def test_foreign_program_with_the_database_locked_is_waited_for(
    file_store: SqlStore, path: Path
) -> None:
    foreign = sqlite3.connect(path, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailable):
        shared_file(file_store).writer.post(lambda _connection: None, patience=0.01)
    foreign.execute("ROLLBACK")
    foreign.close()

    assert file_store.submit([new_job()]) == [True]


def test_database_that_stays_locked_is_unavailable(file_store: SqlStore, path: Path) -> None:
    def lose_patience(connection: Any) -> None:
        connection.exec_driver_sql("PRAGMA busy_timeout = 1")

    shared_file(file_store).writer.post(lose_patience)
    foreign = sqlite3.connect(path, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailable, match="keeps it locked"):
        submitted(file_store)

    foreign.execute("ROLLBACK")
    foreign.close()
    assert file_store.jobs() == []


def test_readers_do_not_wait_for_a_foreign_writer(file_store: SqlStore, path: Path) -> None:
    job_id = submitted(file_store)
    foreign = sqlite3.connect(path, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")

    states = file_store.states([job_id])

    foreign.execute("ROLLBACK")
    foreign.close()
    assert states == {job_id: State.READY}


# A full disk.


def fill_disk(store: SqlStore) -> None:
    """Let the file grow by not a single page more."""

    def limit(connection: Any) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    shared_file(store).writer.post(limit)


def test_full_disk_changes_nothing(file_store: SqlStore) -> None:
    small = [new_job() for _ in range(3)]
    file_store.submit(small)
    fill_disk(file_store)

    with pytest.raises(StoreUnavailable, match="disk full"):
        file_store.submit([new_job(payload=b"x" * 5000) for _ in range(50)])

    assert (len(file_store.jobs()), file_store.check()) == (3, [])


def test_store_goes_on_when_the_disk_has_space_again(file_store: SqlStore) -> None:
    fill_disk(file_store)
    with pytest.raises(StoreUnavailable):
        file_store.submit([new_job(payload=b"x" * 500_000)])

    def lift(connection: Any) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")

    shared_file(file_store).writer.post(lift)

    assert file_store.submit([new_job(payload=b"x" * 500_000)]) == [True]
