"""What every store promises, on every database: only what has begun is blamed for a dead worker."""

import uuid

import pytest

from lightwork.lifecycle import Retried
from lightwork.model import Lane, State
from lightwork.retry import SUSPECT_LOSSES
from lightwork.store.contract import Store
from store.steps import (
    ERROR,
    LANES,
    begin_one,
    claim_one,
    execute,
    make_due,
    new_job,
    registered,
    rescue_from,
    state_of,
    submitted,
    view_of,
)


def lose(store: Store, times: int, *, ahead: int = 0) -> None:
    """Let so many workers die, one after the other, with what they have claimed and not begun."""
    for _ in range(times):
        worker = registered(store)
        store.claim(worker, lanes=LANES, limit=1, ahead=ahead)
        rescue_from(store, worker)


def claimed_ahead(store: Store, ahead: int, *queues: str) -> list[uuid.UUID]:
    worker = registered(store)
    lanes = [Lane(queue, "jobs:work") for queue in queues or ["default"]]
    attempts = store.claim(worker, lanes=lanes, limit=0, ahead=ahead)
    return [attempt.job_id for attempt in attempts]


def test_attempt_that_had_not_begun_is_not_blamed(store: Store) -> None:
    job_id = submitted(store, max_crashes=1)

    lose(store, 2)

    view = view_of(store, job_id)
    assert (view.state, view.attempt, view.crashes, view.losses) == (State.READY, 2, 0, 2)
    assert store.attempts(job_id) == []


def test_attempt_that_had_begun_is_blamed(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    begin_one(store, worker)

    rescue_from(store, worker)

    view = view_of(store, job_id)
    assert (view.state, view.crashes, view.losses) == (State.READY, 1, 0)


def test_what_one_attempt_has_begun_is_not_said_of_the_next(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    attempt = begin_one(store, worker)
    store.ack(worker, [(attempt, Retried(ERROR, 3600.0))])
    make_due(store, job_id)
    store.promote()
    claim_one(store, worker)

    rescue_from(store, worker)

    view = view_of(store, job_id)
    assert (view.failures, view.crashes, view.losses) == (1, 0, 1)


def test_only_who_holds_an_attempt_says_that_it_has_begun(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    attempt = claim_one(store, worker)

    store.ack(registered(store), [], begun=[attempt])

    assert not view_of(store, job_id).has_begun


def test_ends_and_beginnings_are_recorded_together(store: Store) -> None:
    jobs = [submitted(store), submitted(store)]
    worker = registered(store)
    first, second = store.claim(worker, lanes=LANES, limit=2)

    refused = store.ack(worker, [(first, Retried(ERROR, 3600.0))], begun=[second])

    views = [view_of(store, job_id) for job_id in jobs]
    assert refused == []
    assert [(view.state, view.has_begun) for view in views] == [
        (State.SCHEDULED, False),
        (State.RUNNING, True),
    ]


def test_job_that_may_not_run_twice_is_not_claimed_ahead(store: Store) -> None:
    first = submitted(store)
    submitted(store, idempotent=False)
    submitted(store)

    # Nor is what comes after it: it would wait for a free slot for ever.
    assert claimed_ahead(store, 10) == [first]


def test_job_that_may_not_run_twice_begins_with_its_claim(store: Store) -> None:
    job_id = submitted(store, idempotent=False)

    claim_one(store, registered(store))

    assert view_of(store, job_id).has_begun


def test_what_another_program_wrote_does_not_let_a_job_run_twice(store: Store) -> None:
    job_id, worker = submitted(store, idempotent=False), registered(store)
    claim_one(store, worker)
    execute(store, "UPDATE running SET begun = 0")
    execute(store, "UPDATE job SET idempotent = 1")

    rescue_from(store, worker)

    assert state_of(store, job_id) == State.FAILED


def test_a_queue_whose_next_job_needs_a_free_slot_is_not_passed_by(store: Store) -> None:
    submitted(store, queue="first", idempotent=False)
    submitted(store, queue="second")

    assert claimed_ahead(store, 10, "first", "second") == []


def test_higher_priorities_go_ahead_of_a_job_that_needs_a_free_slot(store: Store) -> None:
    submitted(store, idempotent=False)
    urgent = submitted(store, priority=1)

    assert claimed_ahead(store, 10) == [urgent]


def test_claim_takes_so_many_and_so_many_more_ahead(store: Store) -> None:
    store.submit([new_job() for _ in range(10)])

    attempts = store.claim(registered(store), lanes=LANES, limit=2, ahead=3)

    assert [attempt.seq for attempt in attempts] == [1, 2, 3, 4, 5]


def test_job_lost_often_before_it_began_is_not_claimed_ahead(store: Store) -> None:
    job_id = submitted(store)

    lose(store, SUSPECT_LOSSES)

    assert claimed_ahead(store, 10) == []
    claim_one(store, registered(store))
    assert view_of(store, job_id).has_begun


@pytest.mark.parametrize("max_crashes", [1, 3])
def test_job_that_takes_every_worker_down_at_once_ends(store: Store, max_crashes: int) -> None:
    guilty = submitted(store, max_crashes=max_crashes)
    innocent = [submitted(store) for _ in range(5)]

    # Each of these workers begins the guilty one, and is dead before it can say so.
    lose(store, SUSPECT_LOSSES + max_crashes, ahead=10)

    view = view_of(store, guilty)
    assert (view.state, view.attempt) == (State.FAILED, SUSPECT_LOSSES + max_crashes)
    assert {view_of(store, job_id).crashes for job_id in innocent} == {0}


def test_suspicion_ends_when_somebody_has_the_job_run_again(store: Store) -> None:
    job_id = submitted(store, max_crashes=1)
    lose(store, SUSPECT_LOSSES + 1)

    store.retry([job_id])

    assert view_of(store, job_id).losses == 0
    assert claimed_ahead(store, 10) == [job_id]
