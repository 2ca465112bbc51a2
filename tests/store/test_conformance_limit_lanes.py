"""What every store promises, on every database: under a limit, no lane takes room that it cannot use."""

import uuid
from collections.abc import Sequence

import pytest

from lightwork.lifecycle import Succeeded
from lightwork.model import Lane, Limit, NewJob, State
from lightwork.store.contract import Store
from store.steps import LANES, execute, new_job, registered, scalar

UNKNOWN = "other:work"


def submitted(
    store: Store, tasks: Sequence[str], *limits: Limit, priority: int = 0, queue: str = "default"
) -> list[uuid.UUID]:
    found = limits or (Limit("a", running=1),)
    made = [new_job(task=task, priority=priority, queue=queue) for task in tasks]
    jobs = [
        NewJob(id=job.id, task=job.task, payload=b"", policy=job.policy, limits=found)
        for job in made
    ]
    store.submit(jobs)
    return [job.id for job in jobs]


def known(count: int) -> list[str]:
    return ["jobs:work"] * count


def run_one(store: Store, worker: uuid.UUID, lanes: Sequence[Lane] = LANES) -> int:
    """Claim and end what there is; return how many."""
    claimed = store.claim(worker, lanes=lanes, limit=5)
    store.ack(worker, [(attempt, Succeeded(b"")) for attempt in claimed])
    return len(claimed)


def test_waiting_jobs_of_a_task_that_nobody_knows_keep_no_room_from_others(store: Store) -> None:
    submitted(store, [UNKNOWN] * 300, priority=9)
    submitted(store, known(100))
    worker = registered(store)

    # Without upkeep in between: each end lets the next one go.
    ran = [run_one(store, worker) for _ in range(100)]

    assert ran == [1] * 100
    assert store.check() == []


def test_jobs_of_a_task_that_nobody_knows_are_let_go_once(store: Store) -> None:
    submitted(store, [UNKNOWN] * 300)
    submitted(store, known(100))
    worker = registered(store)
    run_one(store, worker)
    ready = store.summary().states[State.READY]

    for _ in range(20):
        run_one(store, worker)

    assert store.summary().states[State.READY] <= ready
    assert ready <= 2 * 64


def test_upkeep_finds_nothing_to_do_where_no_lane_can_use_the_room(store: Store) -> None:
    submitted(store, [UNKNOWN] * 300)

    assert store.readmit() is None


def test_each_lane_gets_the_room_that_upkeep_finds(store: Store) -> None:
    tasks = [f"other:{number}" for number in range(80)]
    worker = registered(store)
    (first,) = submitted(store, known(1))
    (running,) = store.claim(worker, lanes=LANES, limit=1)
    # All of them find the key closed, and wait.
    jobs = submitted(store, [*tasks, *known(1)])
    for lane in store.lanes(["default"]):
        store.claim(worker, lanes=[lane], limit=5)
    assert store.summary().states[State.BLOCKED] == 81

    store.ack(worker, [(running, Succeeded(b""))])
    # More lanes than a turn looks at.
    turns = 0
    while store.readmit() == 0.0:
        turns += 1
        assert turns < 10

    assert running.job_id == first
    assert [one.job_id for one in store.claim(worker, lanes=LANES, limit=5)] == jobs[-1:]


def test_no_more_of_a_lane_are_ready_than_its_key_has_room_for(store: Store) -> None:
    worker = registered(store)
    submitted(store, known(10), Limit("a", running=3))
    first = store.claim(worker, lanes=LANES, limit=5)
    store.claim(worker, lanes=LANES, limit=5)

    store.ack(worker, [(first[0], Succeeded(b""))])

    states = store.summary().states
    assert (states[State.READY], states[State.RUNNING]) == (1, 2)


def test_tokens_that_nobody_uses_in_one_lane_are_used_in_another(store: Store) -> None:
    limit = Limit("a", rate=1, per=3600, burst=1)
    worker = registered(store)
    submitted(store, [UNKNOWN] * 100, limit, priority=9)
    submitted(store, known(70), limit)
    assert run_one(store, worker) == 1
    assert run_one(store, worker) == 0

    for _ in range(3):
        execute(store, "UPDATE limit_slot SET filled_at = filled_at - 3600000")
        store.readmit()
        assert run_one(store, worker) == 1
        assert run_one(store, worker) == 0

    due_in = store.readmit()
    assert due_in is not None
    assert due_in > 3000


def test_ready_jobs_that_are_gone_keep_no_lane_closed(store: Store) -> None:
    worker = registered(store)
    submitted(store, known(70))
    # As a repair leaves it: the rows of limit_use are still there.
    execute(store, "DELETE FROM ready")
    execute(store, "DELETE FROM job WHERE seq NOT IN (SELECT seq FROM blocked)")

    store.recount_limits()
    store.readmit()

    assert run_one(store, worker) == 1


@pytest.mark.parametrize("count", [10, 700])
def test_waiting_jobs_of_which_an_older_program_has_not_told_the_lane_are_told(
    store: Store, count: int
) -> None:
    worker = registered(store)
    submitted(store, [UNKNOWN] * 100)
    submitted(store, known(count))
    execute(store, "UPDATE limit_use SET lane = 0")

    turns = 0
    while store.readmit() == 0.0:
        turns += 1
        assert turns < 10

    waiting = "SELECT count(*) FROM limit_use WHERE stage = 2 AND lane = 0"
    assert scalar(store, waiting) == 0
    assert [run_one(store, worker) for _ in range(5)] == [1] * 5
    assert store.check() == []
