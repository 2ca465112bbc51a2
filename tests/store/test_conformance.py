"""What every store promises, on every database: contract.py in executable form."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import NullPool, create_engine, select
from sqlalchemy.orm import Session

from lightwork.errors import StoreError, UsageError
from lightwork.lifecycle import (
    AttemptEnd,
    Cancelled,
    Failed,
    Lost,
    Quarantined,
    Released,
    Retried,
    Succeeded,
)
from lightwork.model import Backoff, ErrorInfo, NewJob, Policy, Progress, State, WorkerInfo
from lightwork.store.contract import Store
from lightwork.store.reading import Job
from lightwork.store.sqlstore import open_store
from store.steps import (
    ERROR,
    claim_one,
    end_lease,
    execute,
    make_due,
    new_job,
    registered,
    rescue_from,
    state_of,
    submitted,
)

# Submit.


def test_submitted_job_is_ready(store: Store) -> None:
    job = new_job()

    inserted = store.submit([job])

    assert (inserted, state_of(store, job.id)) == ([True], State.READY)


def test_delayed_job_is_scheduled(store: Store) -> None:
    job_id = submitted(store, delay=60)

    assert state_of(store, job_id) == State.SCHEDULED


def test_second_submit_of_an_id_changes_nothing(store: Store) -> None:
    job = new_job(payload=b"first")
    store.submit([job])

    inserted = store.submit([NewJob(id=job.id, task="other:task", payload=b"second")])

    attempt = claim_one(store, registered(store))
    assert (inserted, attempt.payload, attempt.task) == ([False], b"first", "jobs:work")


def test_batch_says_which_of_its_jobs_are_new(store: Store) -> None:
    known, new = new_job(), [new_job() for _ in range(3)]
    store.submit([known])

    inserted = store.submit([new[0], known, new[1], new[2]])

    assert inserted == [True, False, True, True]


def test_id_given_twice_in_a_batch_is_new_once(store: Store) -> None:
    job = new_job()

    inserted = store.submit([job, new_job(), job])

    assert inserted == [True, True, False]


def test_submit_of_nothing_does_nothing(store: Store) -> None:
    assert store.submit([]) == []


def test_large_batch_keeps_every_job(store: Store) -> None:
    jobs = [new_job() for _ in range(2500)]

    store.submit(jobs)

    assert len(store.states(job.id for job in jobs)) == 2500


def test_job_submitted_in_a_foreign_transaction_exists_once_that_commits(store: Store) -> None:
    job, known = new_job(), new_job()
    store.submit([known])

    with create_engine(store.url, poolclass=NullPool).begin() as connection:
        inserted = store.submit_on(connection, [job, known])

    assert (inserted, state_of(store, job.id)) == ([True, False], State.READY)


def test_job_submitted_in_a_foreign_transaction_is_gone_when_that_rolls_back(store: Store) -> None:
    job = new_job()

    with create_engine(store.url, poolclass=NullPool).connect() as connection:
        store.submit_on(connection, [job])
        connection.rollback()

    assert store.states([job.id]) == {}


# Claim.


def test_claim_hands_out_what_was_submitted(store: Store) -> None:
    policy = Policy(
        queue="mail",
        priority=3,
        retries=2,
        backoff=Backoff(base=5),
        retry_on=("OSError",),
        timeout=1.5,
        max_memory=1 << 30,
        max_crashes=5,
        idempotent=False,
    )
    job = NewJob(id=uuid.uuid4(), task="mail:send", payload=b"\0\xff", policy=policy)
    store.submit([job])

    (attempt,) = store.claim(registered(store), queues=["mail"], limit=5)

    assert (attempt.job_id, attempt.task, attempt.payload, attempt.policy, attempt.number) == (
        job.id,
        job.task,
        job.payload,
        job.policy,
        1,
    )


def test_claim_takes_the_highest_priority_first_then_the_oldest(store: Store) -> None:
    low, first, second = (submitted(store, priority=p) for p in (-1, 5, 5))

    claimed = store.claim(registered(store), queues=["default"], limit=3)

    assert [attempt.job_id for attempt in claimed] == [first, second, low]


def test_claim_takes_no_more_than_its_limit(store: Store) -> None:
    store.submit([new_job(queue=queue) for queue in ("a", "a", "b", "b")])

    claimed = store.claim(registered(store), queues=["a", "b"], limit=3)

    assert [attempt.policy.queue for attempt in claimed] == ["a", "a", "b"]


def test_claim_leaves_other_queues_alone(store: Store) -> None:
    submitted(store, queue="other")

    assert store.claim(registered(store), queues=["default"], limit=1) == []


def test_claim_skips_scheduled_jobs(store: Store) -> None:
    submitted(store, delay=60)

    assert store.claim(registered(store), queues=["default"], limit=1) == []


def test_claimed_job_is_not_claimed_again(store: Store) -> None:
    submitted(store)
    worker = registered(store)
    claim_one(store, worker)

    assert store.claim(worker, queues=["default"], limit=1) == []


def test_worker_whose_lease_ran_out_claims_nothing(store: Store) -> None:
    submitted(store)
    worker = registered(store)
    end_lease(store, worker)

    assert store.claim(worker, queues=["default"], limit=1) == []


def test_unknown_worker_claims_nothing(store: Store) -> None:
    submitted(store)

    assert store.claim(uuid.uuid4(), queues=["default"], limit=1) == []


@pytest.mark.parametrize(
    "damage",
    ["policy = '{'", 'policy = \'{"retries": "many"}\'', "policy = '[]'", "payload = 'text'"],
)
def test_corrupt_job_fails_and_the_rest_is_claimed(store: Store, damage: str) -> None:
    bad, good = submitted(store), submitted(store)
    execute(store, f"UPDATE job SET {damage} WHERE id = :id", {"id": bad.bytes})

    claimed = store.claim(registered(store), queues=["default"], limit=2)

    error = store.outcomes([bad])[bad].error
    assert [attempt.job_id for attempt in claimed] == [good]
    assert error is not None
    assert error.type == "CorruptRow"


def test_job_whose_id_is_damaged_fails_and_the_rest_is_claimed(store: Store) -> None:
    bad, good = submitted(store), submitted(store)
    execute(store, "UPDATE job SET id = x'0102' WHERE id = :id", {"id": bad.bytes})

    claimed = store.claim(registered(store), queues=["default"], limit=2)

    assert [attempt.job_id for attempt in claimed] == [good]
    assert [job.state for job in store.jobs()] == [State.RUNNING, State.FAILED]


# Ack.


@pytest.mark.parametrize(
    ("end", "state", "failures", "crashes"),
    [
        (Succeeded(b"result"), State.SUCCEEDED, 0, 0),
        (Failed(ERROR), State.FAILED, 1, 0),
        (Retried(ERROR, 60.0), State.SCHEDULED, 1, 0),
        (Cancelled(), State.CANCELLED, 0, 0),
        (Released(), State.READY, 0, 0),
        (Lost(ERROR), State.READY, 0, 1),
        (Quarantined(ERROR), State.FAILED, 0, 1),
    ],
)
def test_end_of_an_attempt_moves_the_job(
    store: Store, end: AttemptEnd, state: State, failures: int, crashes: int
) -> None:
    job_id, worker = submitted(store), registered(store)

    refused = store.ack(worker, [(claim_one(store, worker), end)])

    job = store.job(job_id)
    assert job is not None
    assert (refused, job.state, job.failures, job.crashes, job.worker) == (
        [],
        state,
        failures,
        crashes,
        None,
    )


@pytest.mark.parametrize(
    ("end", "kept"),
    [
        (Succeeded(b""), []),
        (Released(), []),
        (Failed(ERROR), [("failed", ERROR)]),
        (Retried(ERROR, 1.0), [("failed", ERROR)]),
        (Lost(ERROR), [("lost", ERROR)]),
        (Quarantined(ERROR), [("lost", ERROR)]),
        (Cancelled(), [("cancelled", None)]),
    ],
)
def test_attempt_that_did_not_succeed_is_kept(
    store: Store, end: AttemptEnd, kept: list[tuple[str, ErrorInfo | None]]
) -> None:
    job_id, worker = submitted(store), registered(store)

    store.ack(worker, [(claim_one(store, worker), end)])

    assert [(view.outcome, view.error) for view in store.attempts(job_id)] == kept


def test_outcome_carries_the_result(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    store.ack(worker, [(claim_one(store, worker), Succeeded(b"\0result"))])

    outcome = store.outcomes([job_id])[job_id]

    assert (outcome.state, outcome.attempt, outcome.result, outcome.error) == (
        State.SUCCEEDED,
        1,
        b"\0result",
        None,
    )


def test_outcome_carries_the_error(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    store.ack(worker, [(claim_one(store, worker), Failed(ERROR))])

    assert store.outcomes([job_id])[job_id].error == ERROR


def test_unfinished_job_has_no_outcome(store: Store) -> None:
    job_id = submitted(store)
    claim_one(store, registered(store))

    assert store.outcomes([job_id, uuid.uuid4()]) == {}


def test_ack_of_an_earlier_attempt_is_refused(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    first = claim_one(store, worker)
    store.ack(worker, [(first, Released())])
    claim_one(store, worker)

    refused = store.ack(worker, [(first, Succeeded(b"late"))])

    assert (refused, state_of(store, job_id)) == ([first], State.RUNNING)


def test_rescued_job_refuses_the_late_ack(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    attempt = claim_one(store, worker)
    rescue_from(store, worker)

    refused = store.ack(worker, [(attempt, Succeeded(b"late"))])

    assert (refused, state_of(store, job_id)) == ([attempt], State.READY)


def test_success_recorded_before_the_rescue_stays(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    attempt = claim_one(store, worker)
    end_lease(store, worker)
    store.ack(worker, [(attempt, Succeeded(b"in time"))])

    rescued = store.rescue()

    assert (rescued, store.outcomes([job_id])[job_id].result) == ([], b"in time")


def test_ack_by_another_worker_is_refused(store: Store) -> None:
    job_id = submitted(store)
    attempt = claim_one(store, registered(store))

    refused = store.ack(registered(store), [(attempt, Succeeded(b""))])

    assert (refused, state_of(store, job_id)) == ([attempt], State.RUNNING)


def test_second_ack_of_an_attempt_is_refused(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    attempt = claim_one(store, worker)
    store.ack(worker, [(attempt, Succeeded(b"first"))])

    refused = store.ack(worker, [(attempt, Succeeded(b"second"))])

    assert (refused, store.outcomes([job_id])[job_id].result) == ([attempt], b"first")


def test_refused_end_does_not_hurt_its_batch(store: Store) -> None:
    ids, worker = [submitted(store) for _ in range(4)], registered(store)
    attempts = store.claim(worker, queues=["default"], limit=4)
    store.ack(worker, [(attempts[1], Failed(ERROR))])
    ends: list[AttemptEnd] = [Succeeded(b""), Succeeded(b""), Failed(ERROR), Retried(ERROR, 1.0)]

    refused = store.ack(worker, list(zip(attempts, ends, strict=True)))

    states = store.states(ids)
    assert refused == [attempts[1]]
    assert [states[job_id] for job_id in ids] == [
        State.SUCCEEDED,
        State.FAILED,
        State.FAILED,
        State.SCHEDULED,
    ]
    assert store.check() == []


def test_attempt_number_only_grows(store: Store) -> None:
    submitted(store)
    worker = registered(store)
    numbers = []

    for end in (Released(), Lost(ERROR), Released()):
        attempt = claim_one(store, worker)
        numbers.append(attempt.number)
        store.ack(worker, [(attempt, end)])

    assert numbers == [1, 2, 3]


def test_counters_reach_the_next_attempt(store: Store) -> None:
    submitted(store)
    worker = registered(store)
    store.ack(worker, [(claim_one(store, worker), Lost(ERROR))])

    attempt = claim_one(store, worker)

    assert (attempt.failures, attempt.crashes) == (0, 1)


def test_long_error_is_cut_with_a_note(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    error = ErrorInfo(type="E", text="a" * 20_000, traceback="b" * 200_000 + "the end")

    store.ack(worker, [(claim_one(store, worker), Failed(error))])

    kept = store.outcomes([job_id])[job_id].error
    assert kept is not None
    assert (len(kept.text), len(kept.traceback)) == (10_000, 100_000)
    assert kept.text.endswith("[20000 characters, the rest was not kept]")
    assert kept.traceback.endswith("the end")


def test_error_text_that_cannot_be_encoded_is_kept_readable(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)

    store.ack(worker, [(claim_one(store, worker), Failed(ErrorInfo(type="E", text="\udc80\0")))])

    kept = store.outcomes([job_id])[job_id].error
    assert kept is not None
    assert kept.text == "\\udc80\\0"


# Progress.


def test_progress_of_a_running_attempt_is_shown(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    progress = Progress(done=3, total=10, note="rows")

    store.report_progress(worker, [(claim_one(store, worker), progress)])

    job = store.job(job_id)
    assert job is not None
    assert job.progress == progress


def test_progress_of_an_earlier_attempt_is_skipped(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    first = claim_one(store, worker)
    store.ack(worker, [(first, Released())])
    claim_one(store, worker)

    store.report_progress(worker, [(first, Progress(done=9))])

    job = store.job(job_id)
    assert job is not None
    assert job.progress.done == 0


def test_progress_without_a_finite_number_is_kept_as_zero(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)

    store.report_progress(worker, [(claim_one(store, worker), Progress(done=float("nan")))])

    job = store.job(job_id)
    assert job is not None
    assert job.progress.done == 0


# Leases.


def test_live_lease_is_renewed(store: Store) -> None:
    assert store.renew(registered(store), lease=60) is True


def test_lease_that_ran_out_is_not_renewed(store: Store) -> None:
    worker = registered(store)
    end_lease(store, worker)

    assert store.renew(worker, lease=60) is False


def test_worker_declared_dead_never_returns(store: Store) -> None:
    worker = registered(store)
    end_lease(store, worker)
    store.rescue()
    future = {"id": worker.bytes, "later": 2**52}
    execute(store, "UPDATE worker SET lease_until = :later WHERE id = :id", future)

    assert store.renew(worker, lease=60) is False


def test_worker_id_is_used_once(store: Store) -> None:
    worker = WorkerInfo(id=uuid.uuid4(), name="w", host="h", pid=1, slots=1)
    store.register(worker, lease=60)

    with pytest.raises(UsageError):
        store.register(worker, lease=60)


def test_sign_off_releases_without_blame(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    claim_one(store, worker)

    store.sign_off(worker)

    job = store.job(job_id)
    assert job is not None
    assert (job.state, job.failures, job.crashes, store.attempts(job_id)) == (
        State.READY,
        0,
        0,
        [],
    )


def test_signed_off_worker_claims_nothing(store: Store) -> None:
    submitted(store)
    worker = registered(store)

    store.sign_off(worker)

    assert store.claim(worker, queues=["default"], limit=1) == []


# Rescue.


def test_rescue_makes_the_jobs_of_a_lost_worker_ready(store: Store) -> None:
    job_id, worker = submitted(store), registered(store, name="lost one")
    claim_one(store, worker)
    end_lease(store, worker)

    (rescued,) = store.rescue()

    assert (rescued.job_id, rescued.number, rescued.state_after, rescued.worker) == (
        job_id,
        1,
        State.READY,
        "lost one",
    )


def test_rescued_attempt_is_kept_as_lost(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    claim_one(store, worker)

    rescue_from(store, worker)

    (attempt,) = store.attempts(job_id)
    assert attempt.error is not None
    assert (attempt.outcome, attempt.error.type, attempt.worker) == ("lost", "WorkerLost", worker)


def test_rescue_leaves_live_workers_alone(store: Store) -> None:
    submitted(store)
    claim_one(store, registered(store))

    assert store.rescue() == []


def test_rescue_takes_jobs_of_workers_that_are_not_known_any_more(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    claim_one(store, worker)
    execute(store, "DELETE FROM worker")

    store.rescue()

    assert state_of(store, job_id) == State.READY


def test_job_lost_too_often_fails(store: Store) -> None:
    job_id = submitted(store, max_crashes=2)

    for _ in range(2):
        worker = registered(store)
        claim_one(store, worker)
        rescue_from(store, worker)

    outcome = store.outcomes([job_id])[job_id]
    assert outcome.error is not None
    assert (outcome.state, outcome.error.type) == (State.FAILED, "WorkerLost")


def test_job_that_may_not_run_twice_fails_when_lost(store: Store) -> None:
    job_id, worker = submitted(store, idempotent=False), registered(store)
    claim_one(store, worker)

    rescue_from(store, worker)

    assert state_of(store, job_id) == State.FAILED


def test_rescue_is_bounded_and_goes_on(store: Store) -> None:
    store.submit([new_job() for _ in range(5)])
    worker = registered(store)
    store.claim(worker, queues=["default"], limit=5)
    end_lease(store, worker)

    counts = [len(store.rescue(limit=2)) for _ in range(4)]

    assert counts == [2, 2, 1, 0]


def test_damaged_job_does_not_stop_the_rescue_of_others(store: Store) -> None:
    bad, good = submitted(store), submitted(store)
    worker = registered(store)
    store.claim(worker, queues=["default"], limit=2)
    execute(store, "UPDATE job SET policy = '?' WHERE id = :id", {"id": bad.bytes})

    rescue_from(store, worker)

    assert store.states([bad, good]) == {bad: State.FAILED, good: State.READY}


# Promote.


def test_due_job_is_promoted(store: Store) -> None:
    job_id = submitted(store, delay=3600)
    make_due(store, job_id)

    promoted = store.promote()

    assert (promoted, state_of(store, job_id)) == (1, State.READY)


def test_job_that_is_not_due_stays_scheduled(store: Store) -> None:
    job_id = submitted(store, delay=3600)

    promoted = store.promote()

    assert (promoted, state_of(store, job_id)) == (0, State.SCHEDULED)


def test_promote_is_bounded(store: Store) -> None:
    for _ in range(3):
        make_due(store, submitted(store, delay=3600))

    assert [store.promote(limit=2) for _ in range(3)] == [2, 1, 0]


def test_next_due_time_is_that_of_the_earliest_job(store: Store) -> None:
    submitted(store, delay=7200)
    submitted(store, delay=3600)

    left = store.next_due_in()

    assert left is not None
    assert 3500 < left <= 3600.001


def test_nothing_is_due_in_an_empty_store(store: Store) -> None:
    assert store.next_due_in() is None


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


@pytest.mark.parametrize("end", [Retried(ERROR, 1.0), Lost(ERROR), Released()])
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
    execute(store, "UPDATE job SET finished_at = 1")

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


def test_prune_is_bounded(store: Store) -> None:
    store.cancel([submitted(store) for _ in range(3)])
    execute(store, "UPDATE job SET finished_at = 1")

    assert [store.prune(older_than=60, limit=2) for _ in range(3)] == [2, 1, 0]


def test_prune_forgets_workers_long_dead(store: Store) -> None:
    dead, live = registered(store), registered(store)
    store.sign_off(dead)
    execute(store, "UPDATE worker SET heartbeat_at = 1")

    store.prune(older_than=60)

    assert [worker.id for worker in store.workers(include_dead=True)] == [live]


# Looking.


def test_jobs_are_listed_newest_first_page_by_page(store: Store) -> None:
    ids = [submitted(store) for _ in range(5)]

    first = store.jobs(limit=3)
    second = store.jobs(limit=3, before_seq=first[-1].seq)

    assert [job.id for job in first + second] == ids[::-1]


def test_jobs_are_listed_by_state_task_and_queue(store: Store) -> None:
    wanted = submitted(store, queue="mail", delay=60)
    submitted(store, queue="mail")
    submitted(store, delay=60)

    found = store.jobs(state=State.SCHEDULED, task="jobs:work", queue="mail")

    assert [job.id for job in found] == [wanted]


def test_job_shows_instants_of_the_database_clock(store: Store) -> None:
    job_id, worker = submitted(store, delay=60), registered(store)
    make_due(store, job_id)
    store.promote()
    store.ack(worker, [(claim_one(store, worker), Succeeded(b"12"))])

    job = store.job(job_id)

    assert job is not None
    assert job.due_at == datetime(1970, 1, 1, 0, 0, 0, 1000, tzinfo=UTC)
    assert job.started_at is not None
    assert job.finished_at is not None
    assert job.created_at <= job.started_at <= job.finished_at
    # Test and database share a machine here; the margin allows for a slow one.
    assert abs(job.finished_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_job_shows_sizes_not_values(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    store.ack(worker, [(claim_one(store, worker), Succeeded(b"12"))])

    job = store.job(job_id)

    assert job is not None
    assert (job.payload_size, job.result_size) == (7, 2)


def test_unknown_job_is_none(store: Store) -> None:
    assert store.job(uuid.uuid4()) is None


def test_workers_are_shown_with_what_they_run(store: Store) -> None:
    submitted(store)
    worker = registered(store, name="busy")
    claim_one(store, worker)

    (view,) = store.workers()

    assert (view.id, view.name, view.running, view.is_live, view.queues) == (
        worker,
        "busy",
        1,
        True,
        ("default",),
    )


def test_worker_whose_lease_ran_out_is_shown_among_the_dead(store: Store) -> None:
    worker = registered(store)
    end_lease(store, worker)

    assert store.workers() == []
    assert [view.is_live for view in store.workers(include_dead=True)] == [False]


def test_summary_counts_jobs_by_state_and_queue(store: Store) -> None:
    worker = registered(store)
    store.submit([new_job() for _ in range(3)])
    submitted(store, queue="mail", delay=60)
    done, _running = store.claim(worker, queues=["default"], limit=2)
    store.ack(worker, [(done, Succeeded(b""))])

    summary = store.summary()

    assert summary.queues == {
        "default": {State.READY: 1, State.RUNNING: 1, State.SUCCEEDED: 1},
        "mail": {State.SCHEDULED: 1},
    }
    assert (summary.states[State.SCHEDULED], summary.running) == (1, 1)
    assert (summary.live_workers, summary.slots) == (1, 4)


def test_summary_knows_the_age_of_the_oldest_ready_job(store: Store) -> None:
    submitted(store)
    execute(store, "UPDATE job SET created_at = created_at - 5000")
    submitted(store)

    assert 5 <= store.summary().oldest_ready < 60


def test_summary_of_an_empty_store_counts_zero(store: Store) -> None:
    summary = store.summary()

    assert (set(summary.states.values()), summary.queues, summary.oldest_ready) == ({0}, {}, 0.0)


def test_jobs_are_read_with_ordinary_sqlalchemy(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    store.ack(worker, [(claim_one(store, worker), Failed(ERROR))])
    submitted(store)

    with Session(create_engine(store.url, poolclass=NullPool)) as session:
        found = session.scalars(select(Job).where(Job.state == "failed")).all()

    assert [(job.id, job.state) for job in found] == [(job_id, State.FAILED)]


def test_jobs_are_not_written_with_ordinary_sqlalchemy(store: Store) -> None:
    submitted(store)

    with Session(create_engine(store.url, poolclass=NullPool)) as session:
        session.scalars(select(Job)).one().priority = 5
        with pytest.raises(UsageError):
            session.flush()


# Check.


def test_healthy_store_has_no_problems(store: Store) -> None:
    worker = registered(store)
    store.submit([new_job() for _ in range(3)])
    attempts = store.claim(worker, queues=["default"], limit=3)
    store.ack(worker, [(attempts[0], Succeeded(b"")), (attempts[1], Failed(ERROR))])

    assert store.check() == []


@pytest.mark.parametrize(
    ("damage", "sign"),
    [
        ("state = 'running', attempt = 1", "no worker holds them"),
        ("worker = x'00'", "a worker holds them"),
        ("id = x'00'", "not 16 bytes"),
        ("failures = -1", "negative counter"),
        ("crashes = 1", "more often than"),
        ("state = 'scheduled'", "scheduled for no time"),
        ("finished_at = 1", "an end is recorded"),
        ("state = 'failed'", "nobody knows when"),
        ("state = 'cancelled', finished_at = 1", "tally"),
    ],
)
def test_check_finds_damage(store: Store, damage: str, sign: str) -> None:
    submitted(store)
    execute(store, f"UPDATE job SET {damage}")

    assert any(sign in problem for problem in store.check())


def test_check_finds_attempts_of_no_job(store: Store) -> None:
    worker = registered(store)
    submitted(store)
    store.ack(worker, [(claim_one(store, worker), Retried(ERROR, 1.0))])
    execute(store, "DELETE FROM job")

    assert store.check() == ["1 ended attempts belong to no job"]


# Waking and closing.


def test_own_commit_is_a_change(store: Store) -> None:
    seen = store.changes()

    submitted(store)

    assert store.changes() != seen


def test_claim_of_nothing_is_no_change(store: Store) -> None:
    worker = registered(store)
    seen = store.changes()

    store.claim(worker, queues=["default"], limit=1)

    assert store.changes() == seen


def test_wait_ends_when_its_time_is_up(store: Store) -> None:
    seen = store.changes()

    assert store.wait_for_change(seen, 0.0) == seen


def test_wait_returns_at_once_when_something_has_changed(store: Store) -> None:
    seen = store.changes()
    submitted(store)

    assert store.wait_for_change(seen, 3600.0) != seen


def test_closed_store_says_so(url: str) -> None:
    store = open_store(url)
    store.close()
    store.close()

    for use in (lambda: store.submit([new_job()]), store.summary, store.changes):
        with pytest.raises(StoreError, match="closed"):
            use()
