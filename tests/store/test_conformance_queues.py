"""What every store promises, on every database: queues are paused, go on, and are purged."""

import threading

import pytest

from lightwork.errors import UsageError
from lightwork.lifecycle import Succeeded
from lightwork.model import Lane, State
from lightwork.store.contract import Store
from store.steps import LANES, begin_one, claim_one, new_job, registered, submitted

MAIL = Lane("mail", "jobs:work")


def test_nobody_claims_from_a_paused_queue(store: Store) -> None:
    submitted(store)
    mailed = submitted(store, queue="mail")
    assert store.pause("default") is True

    assert store.lanes(["default", "mail"]) == [MAIL]
    claimed = store.claim(registered(store), lanes=[*LANES, MAIL], limit=5)

    assert [attempt.job_id for attempt in claimed] == [mailed]
    assert store.pause("default") is False


def test_no_lane_of_a_paused_queue_is_claimed_from(store: Store) -> None:
    store.submit([new_job(task=task) for task in ("a:a", "b:b", "c:c")])
    lanes = store.lanes(["default"])
    store.pause("default")

    assert len(lanes) == 3
    assert store.claim(registered(store), lanes=lanes, limit=5) == []


def test_what_runs_in_a_paused_queue_runs_on(store: Store) -> None:
    submitted(store)
    worker = registered(store)
    attempt = begin_one(store, worker)
    store.pause("default")

    assert store.ack(worker, [(attempt, Succeeded(b"done"))]) == []


def test_a_queue_that_is_resumed_is_claimed_from(store: Store) -> None:
    job_id = submitted(store)
    store.pause("default")

    assert store.resume("default") is True

    assert claim_one(store, registered(store)).job_id == job_id
    assert store.resume("default") is False


def test_queues_say_what_they_hold_and_since_when_they_are_paused(store: Store) -> None:
    submitted(store)
    submitted(store, queue="mail", delay=60)
    store.pause("empty")

    views = {view.name: view for view in store.queues()}

    assert list(views) == ["default", "empty", "mail"]
    assert (views["default"].states, views["default"].paused_at) == ({State.READY: 1}, None)
    assert views["empty"].paused_at is not None
    assert store.summary().paused == {"empty"}


def test_purge_cancels_what_waits_and_says_why(store: Store) -> None:
    waiting = [submitted(store) for _ in range(3)]
    later, other = submitted(store, delay=60), submitted(store, queue="mail")
    worker = registered(store)
    running = begin_one(store, worker).job_id

    assert [store.purge("default", limit=2), store.purge("default", limit=2)] == [2, 1]

    states = store.states([*waiting, later, other])
    assert states.pop(running) is State.RUNNING
    assert states.pop(other) is State.READY
    assert set(states.values()) == {State.CANCELLED}
    outcome = store.outcomes([later])[later]
    assert outcome.error is not None
    assert outcome.error.type == "Purged"
    assert store.check() == []


@pytest.mark.parametrize(
    "name", ["", "x" * 101, "two\nlines", "nul\0", "half \ud800", "yy ", " yy", " "]
)
def test_what_is_no_name_of_a_queue_is_refused(store: Store, name: str) -> None:
    for act in (store.pause, store.resume, store.purge):
        with pytest.raises(
            UsageError, match=r"a queue has a name of 1 to 100|surrogates not allowed"
        ):
            act(name)


def test_two_who_pause_a_queue_at_once_both_succeed(store: Store) -> None:
    barrier = threading.Barrier(4)
    errors: list[Exception] = []

    def pause() -> None:
        barrier.wait()
        try:
            store.pause("default")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=pause) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert store.summary().paused == {"default"}


def test_a_pause_hides_no_job_from_who_looks(store: Store) -> None:
    submitted(store)
    store.pause("default")

    (queue,) = store.queues()
    (depth,) = store.depths()

    assert (queue.states[State.READY], depth.jobs[State.READY]) == (1, 1)
