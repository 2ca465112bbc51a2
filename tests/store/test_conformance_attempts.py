"""What every store promises, on every database: the ends of attempts, and their progress."""

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
from lightwork.model import ErrorInfo, Progress, State
from lightwork.store.contract import Store
from store.steps import (
    ERROR,
    LANES,
    claim_one,
    end_lease,
    registered,
    rescue_from,
    state_of,
    submitted,
)

# Ack.


@pytest.mark.parametrize(
    ("end", "state", "failures", "crashes"),
    [
        (Succeeded(b"result"), State.SUCCEEDED, 0, 0),
        (Failed(ERROR), State.FAILED, 1, 0),
        (Retried(ERROR, 60.0), State.SCHEDULED, 1, 0),
        (Snoozed(60.0), State.SCHEDULED, 0, 0),
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
        (Snoozed(1.0), []),
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


def test_attempt_given_twice_in_a_batch_ends_once_as_first_said(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    attempt = claim_one(store, worker)

    refused = store.ack(worker, [(attempt, Succeeded(b"first")), (attempt, Failed(ERROR))])

    assert (refused, state_of(store, job_id)) == ([attempt], State.SUCCEEDED)


def test_refused_end_does_not_hurt_its_batch(store: Store) -> None:
    ids, worker = [submitted(store) for _ in range(4)], registered(store)
    attempts = store.claim(worker, lanes=LANES, limit=4)
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
