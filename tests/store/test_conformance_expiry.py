"""What every store promises, on every database: jobs that begin at an instant, or in time or never."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from lightwork.lifecycle import AttemptEnd, Lost, Released, Retried, Snoozed, Succeeded
from lightwork.model import Lane, State
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
    state_of,
    submitted,
    view_of,
)

OTHER = Lane("default", "mail:send")


def let_all_expire(store: Store) -> None:
    execute(store, "UPDATE job SET expires_at = 1 WHERE expires_at IS NOT NULL")
    execute(store, "UPDATE expiry SET expires_at = 1")


def let_expire(store: Store, job_id: uuid.UUID) -> None:
    values = {"id": job_id.bytes}
    execute(store, "UPDATE job SET expires_at = 1 WHERE id = :id", values)
    seq = "(SELECT seq FROM job WHERE id = :id)"
    execute(store, f"UPDATE expiry SET expires_at = 1 WHERE seq = {seq}", values)


# At.


def test_job_waits_for_its_instant(store: Store) -> None:
    at = datetime.now(UTC) + timedelta(hours=1)

    job_id = submitted(store, at=at)

    view = view_of(store, job_id)
    assert view.state is State.SCHEDULED
    assert view.due_at is not None
    assert abs(view.due_at - at) <= timedelta(milliseconds=1)


def test_instants_and_delays_are_kept_together(store: Store) -> None:
    at = datetime(2100, 1, 1, tzinfo=UTC)
    jobs = [
        new_job(at=at),
        new_job(delay=60),
        new_job(),
        new_job(at=datetime(1969, 1, 1, tzinfo=UTC)),
    ]

    store.submit(jobs)

    views = [view_of(store, job.id) for job in jobs]
    assert [view.state for view in views] == [
        State.SCHEDULED,
        State.SCHEDULED,
        State.READY,
        State.SCHEDULED,
    ]
    assert views[0].due_at == at
    assert store.promote() == 1


# Expires.


def test_expiry_counts_from_when_the_job_could_begin(store: Store) -> None:
    at = datetime(2100, 1, 1, tzinfo=UTC)
    now, later, dated = (
        new_job(expires=60),
        new_job(delay=3600, expires=60),
        new_job(at=at, expires=60),
    )

    store.submit([now, later, dated])

    views = [view_of(store, job.id) for job in (now, later, dated)]
    expiries = [view.expires_at for view in views]
    assert expiries[0] == views[0].created_at + timedelta(seconds=60)
    assert expiries[1] == views[1].created_at + timedelta(seconds=3660)
    assert expiries[2] == at + timedelta(seconds=60)


def test_expired_job_is_never_claimed_and_says_why(store: Store) -> None:
    expired, fresh = submitted(store, expires=60), submitted(store, expires=60)
    let_expire(store, expired)

    claimed = store.claim(registered(store), lanes=LANES, limit=1)

    assert [attempt.job_id for attempt in claimed] == [fresh]
    outcome = store.outcomes([expired])[expired]
    assert (outcome.state, outcome.error and outcome.error.type) == (State.CANCELLED, "Expired")
    assert store.check() == []


def test_claim_from_several_lanes_steps_over_expired_jobs(store: Store) -> None:
    expired = [
        new_job(task=task, expires=60) for task in ("jobs:work", "mail:send") for _ in range(20)
    ]
    fresh = new_job(task="mail:send")
    store.submit([*expired, fresh])
    let_all_expire(store)

    claimed = store.claim(registered(store), lanes=[*LANES, OTHER], limit=2)

    assert [attempt.job_id for attempt in claimed] == [fresh.id]
    assert store.summary().states[State.CANCELLED] == 40


def test_expired_job_ends_although_no_worker_knows_it(store: Store) -> None:
    ready, later = submitted(store, expires=60), submitted(store, delay=3600, expires=60)
    let_all_expire(store)

    store.expire()

    assert store.states([ready, later]) == {ready: State.CANCELLED, later: State.CANCELLED}
    assert (store.expire(), store.check()) == (0, [])


def test_job_that_has_time_is_left_alone(store: Store) -> None:
    job_id = submitted(store, expires=60)

    assert store.expire() == 0

    assert state_of(store, job_id) is State.READY


@pytest.mark.parametrize("end", [Retried(ERROR, 0.0), Snoozed(0.0), Lost(ERROR)])
def test_job_that_has_begun_in_time_may_run_again_later(store: Store, end: AttemptEnd) -> None:
    job_id, worker = submitted(store, expires=60, retries=1), registered(store)
    attempt = begin_one(store, worker)
    store.ack(worker, [(attempt, end)])
    execute(store, "UPDATE job SET expires_at = 1 WHERE expires_at IS NOT NULL")
    execute(store, "UPDATE expiry SET expires_at = 1")

    store.expire()
    if not isinstance(end, Lost):
        make_due(store, job_id)
        store.promote()

    assert claim_one(store, worker).number == 2


def test_job_that_is_handed_back_too_late_has_expired(store: Store) -> None:
    job_id, worker = submitted(store, expires=60), registered(store)
    attempt = claim_one(store, worker)
    let_expire(store, job_id)
    assert store.expire() == 1
    store.ack(worker, [(attempt, Released())])

    assert store.claim(worker, lanes=LANES, limit=1) == []

    assert state_of(store, job_id) is State.CANCELLED


def test_running_job_does_not_expire(store: Store) -> None:
    job_id, worker = submitted(store, expires=60), registered(store)
    attempt = begin_one(store, worker)
    let_expire(store, job_id)

    store.expire()

    assert store.ack(worker, [(attempt, Succeeded(b""))]) == []
    let_expire(store, job_id)
    store.expire()
    assert (state_of(store, job_id), store.expire()) == (State.SUCCEEDED, 0)


def test_job_that_a_person_retries_does_not_expire_again(store: Store) -> None:
    job_id = submitted(store, expires=60)
    let_expire(store, job_id)
    store.expire()

    assert store.retry([job_id]) == {job_id: State.READY}

    assert store.expire() == 0
    assert claim_one(store, registered(store)).job_id == job_id


def test_what_expires_is_pruned_with_its_job(store: Store) -> None:
    job_id = submitted(store, expires=3600)
    store.cancel([job_id])
    execute(store, "UPDATE outcome SET finished_at = 1")

    store.prune(older_than=60)
    execute(store, "UPDATE expiry SET expires_at = 1")

    assert (store.job(job_id), store.expire()) == (None, 0)
