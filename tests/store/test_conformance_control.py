"""What every store promises, on every database: cancel, retry and prune."""

import math
import uuid

import pytest

from lightwork.lifecycle import (
    AttemptEnd,
    Cancelled,
    Failed,
    Lost,
    Quarantined,
    Released,
    Retried,
    Snoozed,
    Succeeded,
)
from lightwork.model import Retention, State
from lightwork.store.contract import Store
from store.steps import (
    ERROR,
    claim_one,
    end_lease,
    execute,
    make_due,
    registered,
    scalar,
    state_of,
    submitted,
)

# Cancel and retry.


def test_waiting_jobs_are_cancelled_at_once(store: Store) -> None:
    ready, scheduled = submitted(store), submitted(store, delay=60)

    after = store.cancel([ready, scheduled])

    assert after == {ready: State.CANCELLED, scheduled: State.CANCELLED}
    assert after == store.states([ready, scheduled])


def test_running_job_is_asked_to_stop(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    attempt = claim_one(store, worker)

    after = store.cancel([job_id])

    assert after == {job_id: State.RUNNING}
    assert store.cancel_requests(worker) == [(job_id, attempt.number, False)]


def test_running_job_is_left_alone_on_request(store: Store) -> None:
    waiting, worker = submitted(store, delay=60), registered(store)
    running = submitted(store)
    claim_one(store, worker)

    after = store.cancel([waiting, running], running="no")

    assert after == {waiting: State.CANCELLED, running: State.RUNNING}
    assert store.cancel_requests(worker) == []


def test_only_the_worker_that_runs_a_job_is_asked(store: Store) -> None:
    job_id = submitted(store)
    claim_one(store, registered(store))

    store.cancel([job_id])

    assert store.cancel_requests(registered(store)) == []


def test_finished_job_is_not_cancelled(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    store.ack(worker, [(claim_one(store, worker), Succeeded(b""))])

    assert store.cancel([job_id]) == {job_id: State.SUCCEEDED}


def test_unknown_job_is_missing_from_what_cancel_returns(store: Store) -> None:
    assert store.cancel([uuid.uuid4()]) == {}


@pytest.mark.parametrize("end", [Retried(ERROR, 1.0), Snoozed(1.0), Lost(ERROR), Released()])
def test_job_asked_to_stop_does_not_run_again(store: Store, end: AttemptEnd) -> None:
    job_id, worker = submitted(store), registered(store)
    attempt = claim_one(store, worker)
    store.cancel([job_id])

    store.ack(worker, [(attempt, end)])

    assert (state_of(store, job_id), store.check()) == (State.CANCELLED, [])


def test_job_asked_to_stop_is_cancelled_by_its_rescue(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    claim_one(store, worker)
    store.cancel([job_id])
    end_lease(store, worker)

    (rescued,) = store.rescue()

    assert (rescued.state_after, state_of(store, job_id)) == (State.CANCELLED, State.CANCELLED)


def test_success_wins_over_a_request_to_stop(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    attempt = claim_one(store, worker)
    store.cancel([job_id])

    store.ack(worker, [(attempt, Succeeded(b"done"))])

    assert store.outcomes([job_id])[job_id].result == b"done"


def test_failed_job_is_made_ready_again(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    store.ack(worker, [(claim_one(store, worker), Failed(ERROR))])

    after = store.retry([job_id])

    job = store.job(job_id)
    assert job is not None
    assert (after, job.failures, job.error, job.finished_at) == (
        {job_id: State.READY},
        0,
        None,
        None,
    )
    assert store.outcomes([job_id]) == {}


def test_retried_job_starts_with_its_counters_at_zero(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    store.ack(worker, [(claim_one(store, worker), Retried(ERROR, 3600.0))])
    make_due(store, job_id)
    store.promote()
    store.ack(worker, [(claim_one(store, worker), Quarantined(ERROR))])

    store.retry([job_id])

    attempt = claim_one(store, worker)
    assert (attempt.failures, attempt.crashes) == (0, 0)


def test_retried_job_goes_on_counting_attempts(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    store.ack(worker, [(claim_one(store, worker), Failed(ERROR))])
    store.retry([job_id])

    assert claim_one(store, worker).number == 2


def test_succeeded_job_is_not_retried(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    store.ack(worker, [(claim_one(store, worker), Succeeded(b"x"))])

    after = store.retry([job_id])

    assert (after, store.outcomes([job_id])[job_id].result) == ({job_id: State.SUCCEEDED}, b"x")


def test_id_given_twice_is_cancelled_and_counted_once(store: Store) -> None:
    job_id = submitted(store)

    store.cancel([job_id, job_id])

    assert store.summary().states[State.CANCELLED] == 1


# Prune.


def test_prune_deletes_old_finished_jobs_with_their_attempts(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    store.ack(worker, [(claim_one(store, worker), Failed(ERROR))])
    execute(store, "UPDATE outcome SET finished_at = 1")

    pruned = store.prune(older_than=60)

    assert (pruned, store.states([job_id]), store.check()) == (1, {}, [])


def test_prune_keeps_young_and_unfinished_jobs(store: Store) -> None:
    worker = registered(store)
    young = submitted(store)
    store.ack(worker, [(claim_one(store, worker), Succeeded(b""))])
    ready = submitted(store)
    execute(store, "UPDATE job SET created_at = 1")

    pruned = store.prune(older_than=60)

    assert (pruned, len(store.states([young, ready]))) == (0, 2)


def test_prune_never_touches_a_job_that_is_not_over_however_old_it_is(store: Store) -> None:
    """In every state, with attempts that failed long ago and with outcomes that were undone."""
    worker, ids = registered(store), [submitted(store) for _ in range(5)]
    attempts = [claim_one(store, worker) for _ in ids[:4]]
    ends: list[AttemptEnd] = [Retried(ERROR, 1e6), Snoozed(1e6), Failed(ERROR), Failed(ERROR)]
    store.ack(worker, list(zip(attempts, ends, strict=True)))
    store.retry(ids[2:4])
    running = claim_one(store, worker)
    for table, column in (("job", "created_at"), ("scheduled", "due_at"), ("attempt", "ended_at")):
        execute(store, f"UPDATE {table} SET {column} = 1")
    before = {view.id: view for view in store.jobs()}
    kept = {job_id: store.attempts(job_id) for job_id in ids}

    pruned = [store.prune(older_than=0.0) for _ in range(2)]

    assert pruned == [0, 0]
    assert {view.state for view in before.values()} == {
        State.SCHEDULED,
        State.READY,
        State.RUNNING,
    }
    assert {view.id: view for view in store.jobs()} == before
    assert {job_id: store.attempts(job_id) for job_id in ids} == kept
    assert store.ack(worker, [(running, Succeeded(b""))]) == []
    assert store.check() == []


def test_prune_keeps_each_state_for_its_time(store: Store) -> None:
    worker, ids = registered(store), [submitted(store) for _ in range(3)]
    ends: list[AttemptEnd] = [Succeeded(b""), Failed(ERROR), Cancelled()]
    store.ack(worker, [(claim_one(store, worker), end) for end in ends])
    execute(store, "UPDATE outcome SET finished_at = finished_at - 3600000")

    young = store.prune(older_than=Retention.all(7200))
    by_state = store.prune(older_than=Retention(succeeded=60, failed=7200, cancelled=math.inf))
    for_ever = store.prune(older_than=Retention.all(math.inf))

    assert (young, by_state, for_ever) == (0, 1, 0)
    assert set(store.states(ids)) == set(ids[1:])
    assert store.check() == []


def test_prune_takes_the_tags_of_what_it_deletes(store: Store) -> None:
    old, young = submitted(store), submitted(store)
    store.cancel([old, young])
    execute(store, "INSERT INTO tag (name, seq) SELECT 'a', seq FROM job")
    execute(
        store,
        "UPDATE outcome SET finished_at = 1 WHERE seq = (SELECT seq FROM job WHERE id = :id)",
        {"id": old.bytes},
    )

    store.prune(older_than=60)

    assert scalar(store, "SELECT count(*) FROM tag") == 1


def test_prune_is_bounded(store: Store) -> None:
    store.cancel([submitted(store) for _ in range(3)])
    execute(store, "UPDATE outcome SET finished_at = 1")

    assert [store.prune(older_than=60, limit=2) for _ in range(3)] == [2, 1, 0]


def test_prune_forgets_workers_long_dead(store: Store) -> None:
    dead, live = registered(store), registered(store)
    store.sign_off(dead)
    execute(store, "UPDATE worker SET heartbeat_at = 1")

    store.prune(older_than=60)

    assert [worker.id for worker in store.workers(include_dead=True)] == [live]
