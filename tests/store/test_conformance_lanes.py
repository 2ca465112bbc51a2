"""What every store promises, on every database: a claim takes from the lanes it names only."""

import uuid
from typing import Any

from lightwork.model import ANY_TASK, Lane, State, WorkerInfo
from lightwork.store.contract import Store
from store.steps import LANES, execute, new_job, registered, state_of


def kept(store: Store, task: str, **policy: Any) -> uuid.UUID:
    job = new_job(task=task, **policy)
    store.submit([job])
    return job.id


def claimed(store: Store, lanes: list[Lane], limit: int) -> list[uuid.UUID]:
    attempts = store.claim(registered(store), lanes=lanes, limit=limit)
    return [attempt.job_id for attempt in attempts]


def test_lanes_are_each_queue_and_task_with_ready_jobs_once(store: Store) -> None:
    for task, queue in [("m:b", "x"), ("m:a", "x"), ("m:b", "x"), ("m:b", "y"), ("m:c", "other")]:
        kept(store, task, queue=queue)
    kept(store, "m:later", queue="x", delay=60.0)

    lanes = store.lanes(["y", "x", "none", "y"])

    assert lanes == [Lane("y", "m:b"), Lane("x", "m:a"), Lane("x", "m:b")]


def test_jobs_of_a_lane_that_is_not_named_stay_ready(store: Store) -> None:
    unknown = kept(store, "mail:send", priority=9)
    known = kept(store, "jobs:work")

    assert claimed(store, LANES, 5) == [known]
    assert state_of(store, unknown) is State.READY


def test_no_lanes_mean_no_jobs(store: Store) -> None:
    kept(store, "jobs:work")

    assert claimed(store, [], 5) == []


def test_priority_and_age_hold_over_all_lanes_of_a_queue(store: Store) -> None:
    order = [("m:a", 0), ("m:b", 5), ("m:c", 0), ("m:a", 5), ("m:b", 0)]
    ids = [kept(store, task, priority=priority) for task, priority in order]

    taken = claimed(store, store.lanes(["default"]), 4)

    assert taken == [ids[1], ids[3], ids[0], ids[2]]


def test_priority_and_age_hold_over_more_lanes_than_one_statement_takes(store: Store) -> None:
    jobs = [new_job(task=f"m:{number % 150}", priority=number % 7) for number in range(300)]
    store.submit(jobs)
    lanes = store.lanes(["default"])

    taken = claimed(store, lanes, 200)

    expected = sorted(jobs, key=lambda job: -job.policy.priority)
    assert len(lanes) == 150
    assert taken == [job.id for job in expected[:200]]


def test_a_damaged_job_among_several_lanes_holds_up_nobody(store: Store) -> None:
    bad, good = kept(store, "m:a", priority=1), kept(store, "m:b")
    execute(store, "UPDATE job SET policy = 'not json' WHERE id = :id", {"id": bad.bytes})

    assert claimed(store, store.lanes(["default"]), 1) == [good]
    assert state_of(store, bad) is State.FAILED


def test_a_worker_whose_lease_ran_out_claims_from_no_lane_of_several(store: Store) -> None:
    kept(store, "m:a")
    kept(store, "m:b")

    assert store.claim(uuid.uuid4(), lanes=store.lanes(["default"]), limit=2) == []


def test_what_a_worker_knows_is_shown(store: Store) -> None:
    info = WorkerInfo(id=uuid.uuid4(), name="w", host="h", pid=1, slots=1, tasks=("m:a",))
    store.register(info, lease=60)
    before = store.workers()[0]

    store.publish_tasks(info.id, ["m:a", "m:b"])

    after = store.workers()[0]
    assert (before.tasks, before.knows("m:b"), after.knows("m:b")) == (("m:a",), False, True)


def test_a_worker_of_an_earlier_release_may_know_any_task(store: Store) -> None:
    registered(store)
    execute(store, "UPDATE worker SET tasks = NULL")

    assert store.workers()[0].tasks == (ANY_TASK,)
