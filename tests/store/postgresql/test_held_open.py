"""A transaction that is held open: claims begin behind marks, and find what comes in before these all the same."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, NullPool, create_engine, text

from lightwork.lifecycle import Released, Retried, Succeeded
from lightwork.model import Lane, NewJob, State
from lightwork.store import sqlstore
from lightwork.store.contracts.chores import Chores
from lightwork.store.operations import upkeep
from lightwork.store.postgresql import behind, dead_rows, spelling
from lightwork.store.postgresql.behind import gap_values, next_behind
from lightwork.store.postgresql.claim import _claim
from lightwork.store.postgresql.dead_rows import DeadRows
from lightwork.store.postgresql.marks import SETTLED, Marks
from lightwork.store.postgresql.spelling import PostgresSpelling
from lightwork.store.server.server import NoSweeper
from lightwork.store.sql.lanes import NEXT_OF_LANE
from lightwork.store.sql.upkeep import DUE, DUE_SINCE
from lightwork.store.sqlstore import SqlStore
from lightwork.work.service import Worker
from store.steps import (
    ERROR,
    LANES,
    execute,
    make_due,
    new_job,
    registered,
    rescue_from,
    scalar,
    state_of,
)
from work.jobs import TASKS, note, submit

DEAD = 100_000
_COME = """
INSERT INTO ready (seq, queue, task, rank)
SELECT -number, 'default', 'jobs:work', 0 FROM generate_series(1, :dead) AS number
"""
_PUT_OFF = """
INSERT INTO scheduled (seq, due_at) SELECT -number, number FROM generate_series(1, :dead) AS number
"""


class Clock:
    """Time of looks; one that is told to be slow takes a second."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.seconds = 0.0

    def __call__(self) -> float:
        self.now += self.seconds
        return self.now

    @contextmanager
    def slow(self) -> Iterator[None]:
        self.seconds = 1.0
        yield
        self.seconds = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    for module in (spelling, behind, dead_rows):
        monkeypatch.setattr(module, "monotonic", found)
    monkeypatch.setattr(sqlstore, "monotonic", found)
    return found


@pytest.fixture
def held(store: SqlStore, clock: Clock) -> Iterator[SqlStore]:
    """A store in which dead rows stay, and that knows of it."""
    engine = create_engine(store.url, poolclass=NullPool, isolation_level="REPEATABLE READ")
    with engine.connect() as connection:
        connection.execute(text("SELECT count(*) FROM worker"))
        marks_of(store).set_in_force(True)
        yield store
    engine.dispose()


def marks_of(store: SqlStore) -> Marks:
    assert isinstance(store.database.spelling, PostgresSpelling)
    return store.database.spelling._marks


def settle(store: SqlStore, clock: Clock) -> None:
    """Let all that was submitted be so for long, and marks be moved by what is ready; the next full look is far."""
    for _ in range(3):
        clock.now += 2 * SETTLED
        store.lanes(["default"])
    clock.now += 3600
    with clock.slow():
        store.lanes(["default"])


def pages(connection: Connection, statement: str, values: dict[str, Any]) -> int:
    """Return how many pages the statement reads."""
    explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
    found: Any = connection.exec_driver_sql(explain, values).scalar()
    (plan,) = found
    return int(plan["Plan"]["Shared Hit Blocks"]) + int(plan["Plan"]["Shared Read Blocks"])


def chores(store: SqlStore) -> Chores:
    """Return what there is to do, whatever the last look took."""
    return store.database.look(
        lambda connection: upkeep.chores(connection, store.database.spelling)
    )


def claimed(store: SqlStore, worker: uuid.UUID, *, limit: int = 10) -> list[uuid.UUID]:
    lanes = store.lanes(["default"])
    return [one.job_id for one in store.claim(worker, lanes=lanes, limit=limit)] if lanes else []


def test_a_claim_and_a_look_at_lanes_read_only_what_lies_behind_the_marks(
    held: SqlStore, clock: Clock
) -> None:
    worker = registered(held)
    execute(held, _COME, {"dead": DEAD})
    execute(held, "DELETE FROM ready")
    held.submit([new_job() for _ in range(10)])
    settle(held, clock)
    marks = marks_of(held)
    values: dict[str, Any] = {"b_queue": "default", "b_task": "jobs:work"}
    values |= {"b_worker": worker.bytes, "b_slots": 1, "b_limit": 1}

    def measure(connection: Connection) -> tuple[int, ...]:
        behind_marks = gap_values(marks.of_lane("default", "jobs:work"))
        full = pages(connection, _claim(connection.dialect, NEXT_OF_LANE), values)
        short = pages(connection, _claim(connection.dialect, next_behind()), values | behind_marks)
        lanes = (
            pages(connection, behind._LANES, behind._values("default", look))
            for look in ({}, marks.begin("default", clock.now).marks)
        )
        return full, short, *lanes

    full, short, full_lanes, short_lanes = held.database.write(measure)

    # Of an index of this size, and of the table.
    assert min(full, full_lanes) > 1000
    assert max(short, short_lanes) < 200


def test_a_better_priority_comes_first_before_any_full_look(held: SqlStore, clock: Clock) -> None:
    worker = registered(held)
    usual, better, worse = new_job(), new_job(priority=5), new_job(priority=-5)
    held.submit([usual])
    settle(held, clock)

    held.submit([worse, better])

    assert claimed(held, worker) == [better.id, usual.id, worse.id]


def test_a_lane_that_is_new_is_seen_before_any_full_look(held: SqlStore, clock: Clock) -> None:
    held.submit([new_job()])
    settle(held, clock)

    held.submit([new_job(task="a:first"), new_job(task="z:last")])

    assert {lane.task for lane in held.lanes(["default"])} == {"a:first", "jobs:work", "z:last"}


def test_a_job_that_another_program_has_rescued_is_found_by_the_next_full_look(
    held: SqlStore, clock: Clock
) -> None:
    worker, dead = registered(held), registered(held)
    first, second = new_job(), new_job()
    held.submit([first, second])
    held.claim(dead, lanes=LANES, limit=1)
    settle(held, clock)

    with SqlStore(held.url) as other:
        rescue_from(other, dead)

    assert claimed(held, worker) == [second.id]
    assert claimed(held, worker) == []
    # It took a second.
    clock.now += 20
    assert claimed(held, worker) == [first.id]


def test_what_this_program_gives_back_needs_no_full_look(held: SqlStore, clock: Clock) -> None:
    worker = registered(held)
    first, second = new_job(priority=3), new_job(priority=3)
    held.submit([first, second])
    (attempt,) = held.claim(worker, lanes=LANES, limit=1)
    settle(held, clock)

    held.ack(worker, [(attempt, Released())])

    assert claimed(held, worker) == [first.id, second.id]


def test_what_this_program_has_rescued_or_promoted_needs_no_full_look(
    held: SqlStore, clock: Clock
) -> None:
    """A burst worker would end without it."""
    worker, dead = registered(held), registered(held)
    first, second, last = new_job(), new_job(delay=60), new_job()
    held.submit([first, second, last])
    held.claim(dead, lanes=LANES, limit=1)
    settle(held, clock)

    rescue_from(held, dead)
    make_due(held, second.id)
    held.promote()

    assert claimed(held, worker) == [first.id, second.id, last.id]


def test_that_nothing_is_ready_is_said_by_full_looks_alone(held: SqlStore, clock: Clock) -> None:
    worker = registered(held)
    held.submit([new_job()])
    settle(held, clock)
    claimed(held, worker)

    assert held.lanes(["default"]) == LANES
    assert claimed(held, worker) == []
    clock.now += 20
    assert held.lanes(["default"]) == []


def test_a_job_whose_transaction_ends_late_is_found_by_the_next_full_look(
    held: SqlStore, clock: Clock
) -> None:
    worker = registered(held)
    late, early = new_job(), new_job()
    engine = create_engine(held.url, poolclass=NullPool)
    with engine.connect() as connection, connection.begin():
        held.submit_on(connection, [late])
        held.submit([early])
        settle(held, clock)
        assert claimed(held, worker) == [early.id]
        held.lanes(["default"])

    assert claimed(held, worker) == []
    clock.now += 20
    assert claimed(held, worker) == [late.id]
    engine.dispose()


def test_a_job_whose_transaction_ends_soon_needs_no_full_look(held: SqlStore, clock: Clock) -> None:
    worker = registered(held)
    held.submit([new_job()])
    settle(held, clock)
    late, early = new_job(), new_job()
    engine = create_engine(held.url, poolclass=NullPool)
    with engine.connect() as connection, connection.begin():
        held.submit_on(connection, [late])
        held.submit([early])
        assert early.id in claimed(held, worker)
        clock.now += SETTLED / 2
        held.lanes(["default"])

    assert claimed(held, worker) == [late.id]
    engine.dispose()


@pytest.mark.parametrize("has_limit", [False, True])
def test_nothing_is_lost_and_priorities_hold_in_several_lanes(
    held: SqlStore, clock: Clock, has_limit: bool
) -> None:
    if has_limit:
        held.limit_queue("default", 1000)
    worker, known = registered(held), {}
    for number in range(300):
        one = new_job(task=f"jobs:{number % 3}", priority=number % 4)
        known[one.id] = one
        held.submit([one])
    ran: list[uuid.UUID] = []
    # So one look in some four is a full one.
    clock.seconds = 0.02
    while len(ran) < len(known):
        clock.now += SETTLED / 5
        lanes = held.lanes(["default"])
        attempts = held.claim(worker, lanes=lanes, limit=7)
        priorities = [known[one.job_id].policy.priority for one in attempts]
        assert priorities == sorted(priorities, reverse=True)
        back, done = attempts[:2], attempts[2:]
        if len(ran) > 250:
            back, done = [], attempts
        held.ack(worker, [(one, Released()) for one in back])
        held.ack(worker, [(one, Succeeded(b"")) for one in done])
        ran += [one.job_id for one in done]

    assert sorted(ran) == sorted(known)


def test_a_paused_queue_has_no_lanes_and_its_marks_are_true(held: SqlStore, clock: Clock) -> None:
    worker, one = registered(held), new_job()
    held.submit([one])
    held.pause("default")
    settle(held, clock)

    assert held.lanes(["default"]) == []

    held.resume("default")

    assert held.lanes(["default"]) == [Lane("default", "jobs:work")]
    assert claimed(held, worker) == [one.id]


def test_wishes_to_cancel_are_looked_for_at_a_pace_while_that_is_slow(
    held: SqlStore, clock: Clock
) -> None:
    worker, one = registered(held), new_job()
    held.submit([one])
    (attempt,) = held.claim(worker, lanes=LANES, limit=1)
    held.ack(worker, [], begun=[attempt])
    with clock.slow():
        held.cancel_requests(worker)

    held.cancel([one.id])

    assert held.cancel_requests(worker) == []
    clock.now += 20
    assert held.cancel_requests(worker) == [(one.id, 1, False)]


def test_what_is_ready_when_vacuums_help_again_is_claimed_from_the_beginning(
    held: SqlStore, clock: Clock
) -> None:
    worker, dead = registered(held), registered(held)
    first, second = new_job(), new_job()
    held.submit([first, second])
    held.claim(dead, lanes=LANES, limit=1)
    settle(held, clock)
    rescue_from(held, dead)

    marks_of(held).set_in_force(False)

    assert claimed(held, worker) == [first.id, second.id]
    assert int(scalar(held, "SELECT count(*) FROM ready")) == 0


def test_who_looks_for_what_is_due_reads_only_what_lies_behind_the_mark(
    held: SqlStore, clock: Clock
) -> None:
    execute(held, _PUT_OFF, {"dead": DEAD})
    execute(held, "DELETE FROM scheduled")
    chores(held)
    values = {"b_limit": 10, "b_since": marks_of(held).due_since}

    def measure(connection: Connection) -> list[int]:
        texts = (one.compile(dialect=connection.dialect) for one in (DUE, DUE_SINCE))
        return [pages(connection, str(text), values) for text in texts]

    full, short = held.database.write(measure)

    assert full > 1000
    assert short < 50


def test_a_retry_is_promoted_when_it_is_due(held: SqlStore, clock: Clock) -> None:
    worker, one = registered(held), new_job(retries=1)
    held.submit([one])
    (attempt,) = held.claim(worker, lanes=LANES, limit=1)
    with clock.slow():
        chores(held)
    held.ack(worker, [(attempt, Retried(ERROR, delay=0.0))])

    assert chores(held).due_in == 0
    assert held.promote() == 1
    assert chores(held).due_in is None


def test_a_job_that_is_scheduled_for_the_past_is_found_by_the_next_full_look(
    held: SqlStore, clock: Clock
) -> None:
    one = new_job(delay=60.0)
    held.submit([one])
    with clock.slow():
        chores(held)
    make_due(held, one.id)

    assert held.promote() == 0
    clock.now += 100
    assert chores(held).due_in == 0
    assert held.promote() == 1


def test_who_asks_for_all_of_it_finds_a_job_behind_a_mark_beside_others(
    held: SqlStore, clock: Clock
) -> None:
    dead = registered(held)
    held.submit([new_job()])
    settle(held, clock)
    held.claim(dead, lanes=LANES, limit=1)
    held.submit([new_job(task="jobs:other")])
    settle(held, clock)
    with SqlStore(held.url) as other:
        rescue_from(other, dead)

    short, whole = held.lanes(["default"]), held.lanes(["default"], is_whole=True)

    assert {lane.task for lane in short} == {"jobs:other"}
    assert {lane.task for lane in whole} == {"jobs:other", "jobs:work"}


@pytest.mark.parametrize("other", [[], [new_job(task="nobody:knows")]])
def test_a_worker_that_ends_when_nothing_is_left_leaves_no_job_behind_a_mark(
    held: SqlStore, clock: Clock, monkeypatch: pytest.MonkeyPatch, other: list[NewJob]
) -> None:
    # A vacuum that it would make might help.
    monkeypatch.setattr(held.database, "_sweeper", NoSweeper())
    dead = registered(held)
    job_id = submit(held, note, 1)
    settle(held, clock)
    held.claim(dead, lanes=[Lane("default", note.name)], limit=1)
    held.submit(other)
    settle(held, clock)
    with SqlStore(held.url) as elsewhere:
        rescue_from(elsewhere, dead)

    Worker(held, executor="threads:1", tasks=TASKS, burst=True).run()

    assert state_of(held, job_id) is State.SUCCEEDED


def test_a_full_look_that_takes_long_is_left_to_the_thread_that_removes_dead_rows(
    held: SqlStore, clock: Clock
) -> None:
    worker, dead = registered(held), registered(held)
    first = new_job()
    held.submit([first, new_job(), new_job()])
    held.claim(dead, lanes=LANES, limit=1)
    settle(held, clock)
    with SqlStore(held.url) as other:
        rescue_from(other, dead)
    # It took a second, and is due.
    clock.now += 20
    marks = marks_of(held).of_lane("default", "jobs:work")

    assert held.lanes(["default"]) == LANES
    assert marks_of(held).of_lane("default", "jobs:work") == marks
    sweeper = vars(held.database)["_sweeper"]
    assert isinstance(sweeper, DeadRows)
    sweeper.look_long()

    assert claimed(held, worker, limit=1) == [first.id]
