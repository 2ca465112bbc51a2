"""Lanes: which jobs a worker claims, and what it says of the others."""

import uuid
from collections import Counter
from collections.abc import Callable

import pytest

from lightwork.durable.ids import new_job_id
from lightwork.model import NewJob, Policy, State, WorkerInfo
from lightwork.store.contract import Store
from lightwork.tasks.task import task
from lightwork.work.catalog import Catalog
from lightwork.work.lanes import KnownLanes
from lightwork.work.service import Worker
from waiting import wait_until
from work.jobs import TASKS, block, entered, note, ran, submit, wait_for


@task
def foreign_note(n: int) -> int:
    """Is not among the tasks of a worker unless that is told of this module."""
    ran.append(n)
    return n


def test_only_the_queues_that_were_named_are_served(
    store: Store, make: Callable[..., Worker]
) -> None:
    other = submit(store, note, 1, queue="other")
    mine = submit(store, note, 2, queue="mine")

    make(queues=["mine"], burst=True).run()

    assert store.states([other, mine]) == {other: State.READY, mine: State.SUCCEEDED}


@pytest.mark.parametrize("name", ["os:system", "lw_absent.module:run", "", "nonsense", "a:b:c"])
def test_a_job_of_an_unknown_task_stays_ready_and_the_worker_goes_on(
    store: Store, make: Callable[..., Worker], name: str
) -> None:
    unknown = NewJob(id=new_job_id(), task=name, payload=b"\x01", policy=Policy(priority=1))
    store.submit([unknown])
    known = submit(store, note, 1)

    make(burst=True, allow=["json"]).run()

    assert store.states([unknown.id, known]) == {unknown.id: State.READY, known: State.SUCCEEDED}


def test_a_job_of_an_unknown_task_is_run_by_the_worker_that_knows_it(
    store: Store, make: Callable[..., Worker]
) -> None:
    foreign, shared = submit(store, foreign_note, 1), submit(store, note, 2)
    stranger, friend = make(), make(modules=[__name__])
    stranger.start()
    wait_for(store, shared, State.SUCCEEDED)
    assert store.states([foreign]) == {foreign: State.READY}

    friend.start()

    wait_for(store, foreign, State.SUCCEEDED)


def test_a_worker_says_which_tasks_it_knows(store: Store, make: Callable[..., Worker]) -> None:
    make().start()

    (shown,) = store.workers()

    assert shown.tasks == tuple(sorted(task.name for task in TASKS))


def test_a_busy_worker_says_that_it_knows_a_task_which_it_has_found(
    store: Store, make: Callable[..., Worker]
) -> None:
    make(imported=True).start()
    submit(store, block)
    entered.wait(20)

    submit(store, foreign_note, 1)

    wait_until(lambda: store.workers()[0].knows(foreign_note.name), "the worker knows it")


def test_lanes_that_were_read_before_do_not_hide_new_ones(
    store: Store, make: Callable[..., Worker]
) -> None:
    # With two tasks in turn and a slot each, every claim finds the other lane new.
    ids = [submit(store, fn, number) for number in range(20) for fn in (note, foreign_note)]

    make(modules=[__name__], burst=True).run()

    assert set(store.states(ids).values()) == {State.SUCCEEDED}


def test_queues_with_weights_get_their_shares_of_what_is_claimed(store: Store) -> None:
    for number in range(30):
        submit(store, note, number, queue="critical")
        submit(store, note, number, queue="default")
    worker = WorkerInfo(id=uuid.uuid4(), name="w", host="h", pid=1, slots=1)
    store.register(worker, lease=60)
    weights = {"critical": 4.0, "default": 1.0}
    lanes = KnownLanes(store, tuple(weights), Catalog(TASKS), weights)

    counts: Counter[str] = Counter()
    for _ in range(25):
        claimed = store.claim(worker.id, lanes=lanes.current(), limit=1)
        lanes.note_claimed(claimed)
        counts.update(one.policy.queue for one in claimed)

    assert counts == {"critical": 20, "default": 5}


def test_a_worker_takes_weights_by_name_and_runs_all(
    store: Store, make: Callable[..., Worker]
) -> None:
    for number in range(20):
        submit(store, note, number, queue="bulk" if number % 2 else "critical")

    worker = make(queues={"critical": 5, "bulk": 1}, burst=True)
    worker.run()

    assert (sorted(ran), worker.queues) == (list(range(20)), ("critical", "bulk"))


def test_a_paused_queue_is_left_alone_until_it_is_resumed(
    store: Store, make: Callable[..., Worker]
) -> None:
    job_id = submit(store, note, 1)
    store.pause("default")
    make(burst=True).run()
    assert store.states([job_id]) == {job_id: State.READY}
    make().start()

    store.resume("default")

    wait_for(store, job_id, State.SUCCEEDED)
