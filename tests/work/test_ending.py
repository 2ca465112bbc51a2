"""Ending: which event ends an attempt, for everything that can come out of a pool."""

import pytest

from lightwork.errors import PoolError, RemoteError, WorkerLost
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
from lightwork.model import ErrorInfo
from lightwork.work.flight.ending import Stopped, end_of_error, end_of_returned, end_of_stopped
from lightwork.work.runner import Raised, Returned, Snooze
from work.made import attempt

NO = ErrorInfo(type="ValueError", text="no")
LOST = WorkerLost("it died", exitcode=-9, pid=7)


def raised(*, is_final: bool = False) -> Raised:
    bases = ("builtins.ValueError", "builtins.Exception")
    return Raised(NO, bases, is_final, 0.0)


@pytest.mark.parametrize(
    ("stopped", "idempotent", "end"),
    [
        (Stopped.NO, True, Released),
        (Stopped.NO, False, Released),
        (Stopped.CANCELLED, True, Cancelled),
        (Stopped.CANCELLED, False, Cancelled),
        (Stopped.HANDED_BACK, True, Released),
        (Stopped.HANDED_BACK, False, Released),
        (Stopped.INTERRUPTED, True, Released),
        (Stopped.INTERRUPTED, False, Quarantined),
    ],
)
def test_a_withdrawn_call_ends_by_the_reason_of_its_withdrawal(
    stopped: Stopped, idempotent: bool, end: type[AttemptEnd]
) -> None:
    assert type(end_of_stopped(attempt(idempotent=idempotent), stopped)) is end


def test_what_was_returned_is_the_result() -> None:
    assert end_of_returned(attempt(), Returned(b"four", 0.1), 0.0) == Succeeded(b"four")


def test_what_was_raised_is_final_without_retries() -> None:
    assert end_of_returned(attempt(), raised(), 0.0) == Failed(NO)


def test_what_was_raised_is_retried_while_retries_are_left() -> None:
    end = end_of_returned(attempt(retries=2, failures=1, backoff=3.0), raised(), 0.0)

    assert end == Retried(NO, 6.0)


def test_what_asks_to_be_run_later_uses_no_retry() -> None:
    assert end_of_returned(attempt(), Snooze(5.0, 0.1), 0.0) == Snoozed(5.0)


def test_the_last_retry_is_the_last() -> None:
    assert end_of_returned(attempt(retries=2, failures=2), raised(), 0.0) == Failed(NO)


def test_a_payload_that_cannot_be_read_is_not_tried_again() -> None:
    assert end_of_returned(attempt(retries=9), raised(is_final=True), 0.0) == Failed(NO)


def test_only_listed_errors_are_retried() -> None:
    end = end_of_returned(attempt(retries=9, retry_on=(OSError,)), raised(), 0.0)

    assert end == Failed(NO)


@pytest.mark.parametrize(
    ("crashes", "idempotent", "end"),
    [(0, True, Lost), (1, True, Lost), (2, True, Quarantined), (0, False, Quarantined)],
)
def test_a_dead_child_is_a_crash_and_the_third_is_the_last(
    crashes: int, idempotent: bool, end: type[AttemptEnd]
) -> None:
    assert type(end_of_error(attempt(crashes=crashes, idempotent=idempotent), LOST, 0.0)) is end


def test_a_dead_child_is_no_failure() -> None:
    assert type(end_of_error(attempt(retries=0, failures=0), LOST, 0.0)) is Lost


def test_a_broken_pool_hands_the_attempt_back() -> None:
    assert end_of_error(attempt(idempotent=False), PoolError("broken"), 0.0) == Released()


def test_a_timeout_is_a_failure() -> None:
    end = end_of_error(attempt(), TimeoutError("too long"), 0.0)

    assert end == Failed(ErrorInfo(type="TimeoutError", text="too long"))


def test_a_timeout_can_be_listed_for_a_retry() -> None:
    end = end_of_error(attempt(retries=1, retry_on=(TimeoutError,)), TimeoutError("t"), 0.0)

    assert type(end) is Retried


def test_an_error_that_could_not_travel_is_a_failure_like_any_other() -> None:
    end = end_of_error(attempt(retries=1), RemoteError("odd"), 0.0)

    assert type(end) is Retried
