"""A damaged value costs its own row: workers go on, `check` names it, `repair` moves it."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from lightwork.lifecycle import Succeeded
from lightwork.model import State
from lightwork.store.sqlstore import SqlStore
from store.steps import begin_one, claim_one, end_lease, new_job, registered, state_of, submitted

TEXT = "'abc'"
NO_UTF8 = "CAST(X'61FF62' AS TEXT)"
HUGE = "4000000000"
BYTES = "X'00FF'"

# What a claim reads of the job itself, and what goes along from table to table.
JOB_DAMAGE = [
    *(f"priority = {value}" for value in (TEXT, BYTES)),
    *(f"{name} = {value}" for name in ("queue", "task", "policy") for value in (BYTES, NO_UTF8)),
    *(f"id = {value}" for value in (HUGE, TEXT, BYTES)),
    *(f"created_at = {value}" for value in (TEXT, "1 << 62")),
    f"payload = {TEXT}",
    "policy = '{'",
    'policy = \'{"retries": "x"}\'',
    # Of the right type, and no task could have declared them.
    *(
        f"policy = '{{{change}}}'"
        for change in (
            '"timeout": 1e20',
            '"timeout": -1',
            f'"max_memory": {10**30}',
            '"retries": -1',
            '"max_crashes": 0',
            '"backoff": {"base": 1e300}',
        )
    ),
    "priority = 1 << 40",
    # 102 characters.
    "queue = hex(zeroblob(51))",
]
STATE_DAMAGE = [
    *(f"{name} = {value}" for name in ("failures", "crashes") for value in (TEXT, BYTES)),
    *(f"progress_note = {value}" for value in (NO_UTF8, BYTES)),
    *(f"started_at = {value}" for value in (TEXT, "1 << 62")),
    f"attempt = {TEXT}",
    f"losses = {TEXT}",
    f"cancel_requested = {TEXT}",
    f"progress_done = {TEXT}",
]
RUNNING_DAMAGE = [*STATE_DAMAGE, f"worker = {TEXT}", f"worker = {HUGE}", f"begun = {TEXT}"]
READY_DAMAGE = [
    *STATE_DAMAGE,
    f"rank = {TEXT}",
    *(f"{name} = {value}" for name in ("queue", "task") for value in (BYTES, NO_UTF8)),
]


def of(table: str, changes: list[str]) -> list[tuple[str, str]]:
    return [(table, change) for change in changes]


def damage(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    assert connection.execute(statement).rowcount == 1
    connection.close()


def look(store: SqlStore) -> None:
    """Ask for everything that people and waiting futures ask for."""
    store.summary()
    store.jobs()
    store.workers(include_dead=True)
    for view in store.jobs():
        store.attempts(view.id)
        store.outcomes([view.id])


def work(store: SqlStore) -> None:
    """Do what a worker does, from its start to its end, once for each kind of step."""
    worker = registered(store)
    store.promote()
    store.chores()
    store.rescue()
    store.cancel_requests(worker)
    attempts = store.claim(worker, lanes=store.lanes(["default"]), limit=10)
    store.ack(worker, [(attempt, Succeeded(b"done")) for attempt in attempts])
    store.prune(older_than=3600)
    store.sign_off(worker)


@pytest.mark.parametrize(
    ("table", "change"), [*of("job", JOB_DAMAGE), *of("running", RUNNING_DAMAGE)]
)
def test_damaged_lost_job_ends_no_worker_and_holds_up_nobody(
    store: SqlStore, path: Path, table: str, change: str
) -> None:
    submitted(store)
    dead = registered(store)
    claim_one(store, dead)
    damage(path, f"UPDATE {table} SET {change} WHERE seq = 1")
    end_lease(store, dead)
    healthy = submitted(store)

    for _ in range(2):
        look(store)
        work(store)

    look(store)
    assert state_of(store, healthy) == State.SUCCEEDED


@pytest.mark.parametrize("change", ["payload = 'text'", "id = x'0102'"])
def test_value_of_a_wrong_type_fails_its_job_and_the_rest_is_claimed(
    store: SqlStore, path: Path, change: str
) -> None:
    submitted(store)
    damage(path, f"UPDATE job SET {change} WHERE seq = 1")
    good = submitted(store)

    claimed = store.claim(registered(store), lanes=store.lanes(["default"]), limit=2)

    running, failed = store.jobs()
    assert [attempt.job_id for attempt in claimed] == [running.id] == [good]
    assert failed.error is not None
    assert failed.error.type == "CorruptRow"


@pytest.mark.parametrize(("table", "change"), [*of("job", JOB_DAMAGE), *of("ready", READY_DAMAGE)])
def test_damaged_ready_job_ends_no_worker_and_holds_up_nobody(
    store: SqlStore, path: Path, table: str, change: str
) -> None:
    submitted(store)
    damage(path, f"UPDATE {table} SET {change} WHERE seq = 1")
    healthy = submitted(store)

    look(store)
    work(store)

    look(store)
    assert state_of(store, healthy) == State.SUCCEEDED


@pytest.mark.parametrize("change", [f"due_at = {TEXT}", f"due_at = {BYTES}", "due_at = 1 << 62"])
def test_damaged_due_time_makes_nobody_look_without_end(
    store: SqlStore, path: Path, change: str
) -> None:
    submitted(store, delay=60)
    damage(path, f"UPDATE scheduled SET {change}")

    assert store.chores().due_in is None


@pytest.mark.parametrize("value", [TEXT, BYTES, "1 << 62"])
def test_worker_with_a_damaged_lease_is_taken_for_dead(
    store: SqlStore, path: Path, value: str
) -> None:
    job_id = submitted(store)
    claim_one(store, registered(store))
    damage(path, f"UPDATE worker SET lease_until = {value}")

    assert [rescued.job_id for rescued in store.rescue()] == [job_id]


WORKER_DAMAGE = [f"name = {NO_UTF8}", f"queues = {TEXT}", f"slots = {TEXT}", f"id = {HUGE}"]
WORKER_DAMAGE += [f"tasks = {TEXT}"]
WORKER_DAMAGE += [f"host = {BYTES}", f"pid = {TEXT}", f"state = {BYTES}", f"started_at = {TEXT}"]


@pytest.mark.parametrize("change", WORKER_DAMAGE)
def test_damaged_worker_ends_no_other(store: SqlStore, path: Path, change: str) -> None:
    registered(store)
    damage(path, f"UPDATE worker SET {change}")
    healthy = submitted(store)

    look(store)
    work(store)

    assert state_of(store, healthy) == State.SUCCEEDED


ALL_DAMAGE = [
    *of("job", JOB_DAMAGE),
    *of("outcome", STATE_DAMAGE),
    *of(
        "worker", [change for change in WORKER_DAMAGE if not change.startswith(("queues", "tasks"))]
    ),
    ("outcome", f"result = {TEXT}"),
    ("outcome", f"error_text = {NO_UTF8}"),
    ("outcome", "state = 'asleep'"),
    ("outcome", f"finished_at = {TEXT}"),
    ("attempt", f"outcome = {BYTES}"),
    ("attempt", f"traceback = {NO_UTF8}"),
    ("tally", f"jobs = {TEXT}"),
    ("tally", f"queue = {NO_UTF8}"),
    *of("running", [f"worker = {TEXT}", f"begun = {TEXT}"]),
    *of("ready", [f"rank = {TEXT}", f"task = {BYTES}"]),
    ("scheduled", f"due_at = {TEXT}"),
]


@pytest.fixture
def full(store: SqlStore) -> SqlStore:
    """A store with a row in each table that a worker fills, nothing wrong."""
    finished = submitted(store)
    dead = registered(store)
    # Only what had begun leaves an attempt behind.
    begin_one(store, dead)
    end_lease(store, dead)
    store.rescue()
    store.cancel([finished])
    assert store.check() == []
    return store


def fill(store: SqlStore, table: str) -> None:
    """Put a job where the full store has none."""
    if table in {"running", "ready", "scheduled"}:
        submitted(store, delay=60 if table == "scheduled" else 0)
    if table == "running":
        claim_one(store, registered(store))


@pytest.mark.parametrize(("table", "change"), ALL_DAMAGE)
def test_damage_is_named_then_moved_whole_and_nothing_is_wrong_any_more(
    full: SqlStore, path: Path, table: str, change: str
) -> None:
    fill(full, table)
    damage(path, f"UPDATE {table} SET {change}")
    column = change.partition(" ")[0]

    (first, *_) = full.check()
    told = full.repair()

    assert f"1 rows of {table}: {column} is " in first
    assert f"of {table} is row 1 of damaged now: {column} is " in told[0]
    assert full.check() == []
    assert _moved(path)[0]["kind"] == table


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("DELETE FROM job WHERE seq = 2", "1 rows of ready belong to no job: seq 2"),
        ("DELETE FROM ready WHERE seq = 2", "1 jobs are in no state: seq 2"),
        (
            "INSERT INTO ready (seq, queue, task, rank) VALUES (1, 'default', 'jobs:work', 0)",
            "1 jobs are ready and something else, too: seq 1",
        ),
        (
            "INSERT INTO blocked (seq) VALUES (2)",
            "1 jobs are blocked and something else, too: seq 2",
        ),
        ("UPDATE job SET priority = 5 WHERE seq = 2", "1 rows of ready belong to no job: seq 2"),
    ],
)
def test_job_that_is_not_in_one_state_is_named_and_put_right(
    full: SqlStore, path: Path, change: str, told: str
) -> None:
    fill(full, "ready")
    damage(path, change)

    problems, _repaired = full.check(), full.repair()

    assert told in problems
    assert full.check() == []
    look(full)
    work(full)


def test_outcome_counts_more_than_any_other_state(full: SqlStore, path: Path) -> None:
    (finished,) = full.jobs()
    damage(path, "INSERT INTO ready (seq, queue, task, rank) VALUES (1, 'default', 'jobs:work', 0)")

    assert state_of(full, finished.id) == State.CANCELLED
    full.repair()

    assert full.lanes(["default"]) == []
    assert full.jobs() == [finished]


def _moved(path: Path) -> list[dict[str, Any]]:
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    rows = [dict(row) for row in connection.execute("SELECT * FROM damaged ORDER BY number")]
    connection.close()
    return rows


def test_row_that_is_moved_can_be_read_byte_for_byte(full: SqlStore, path: Path) -> None:
    damage(path, f"UPDATE job SET task = {NO_UTF8}, priority = {TEXT}")

    full.repair()

    content = json.loads(_moved(path)[0]["content"])
    assert content["task"] == {"type": "text", "hex": "61FF62"}
    assert content["priority"] == {"type": "text", "hex": "616263"}
    assert content["payload"] == {"type": "blob", "hex": b"payload".hex().upper()}


def lose_index_entries(path: Path, change: str) -> None:
    """Make the change while SQLite does not know of the index of lanes."""
    named = "name = 'ready_lane'"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")
    row = connection.execute(f"SELECT rowid, * FROM sqlite_master WHERE {named}").fetchone()
    connection.execute(f"DELETE FROM sqlite_master WHERE {named}")
    connection.close()
    connection = sqlite3.connect(path, isolation_level=None)
    assert connection.execute(change).rowcount == 1
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(
        "INSERT INTO sqlite_master (rowid, type, name, tbl_name, rootpage, sql) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        row,
    )
    connection.close()


def test_index_that_lacks_a_row_is_named_and_built_anew(url: str, path: Path) -> None:
    with SqlStore(url) as before:
        jobs = [submitted(before) for _ in range(3)]
    lose_index_entries(path, "UPDATE ready SET rank = -5 WHERE seq = 2")
    damage(path, "UPDATE job SET priority = 5 WHERE seq = 2")

    with SqlStore(url) as store:
        problems, repaired, problems_after = store.check(), store.repair(), store.check()

        assert problems == ["the index ready_lane is broken, --repair builds it anew"]
        assert repaired == ["the index ready_lane was broken and is built anew"]
        assert problems_after == []
        assert {view.id for view in store.jobs()} == set(jobs)
        work(store)


def test_repair_of_a_healthy_store_moves_nothing(full: SqlStore, path: Path) -> None:
    full.submit([new_job()])

    assert full.repair() == []
    assert _moved(path) == []
