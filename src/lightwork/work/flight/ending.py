"""Ending: from what came out of a pool to the event that ends an attempt. Pure."""

from concurrent.futures import CancelledError
from dataclasses import replace
from enum import Enum
from typing import Final, TypeAlias

from lightwork.error_info import describe_error
from lightwork.error_text import class_name
from lightwork.errors import PoolError, WorkerLost
from lightwork.lifecycle import AttemptEnd, Cancelled, Failed, Released, Snoozed, Succeeded
from lightwork.model import Attempt, ErrorInfo
from lightwork.retry import after_failure, after_loss
from lightwork.work.flight.loading import TaskNotLoaded
from lightwork.work.runner import Committed, Outcome, Raised, Returned, Snooze

_CANCELLED: Final = class_name(CancelledError)
# An attempt, how it has ended, and how many seconds it ran; below 0: nobody knows.
Ran: TypeAlias = tuple[Attempt, AttemptEnd, float]


class Stopped(Enum):
    """Why the worker itself ended a call."""

    NO = "no"
    # Somebody cancelled the job.
    CANCELLED = "cancelled"
    # The worker is stopping and the call had not begun.
    HANDED_BACK = "handed back"
    # The worker is stopping and its grace period was over.
    INTERRUPTED = "interrupted"


def end_of_stopped(attempt: Attempt, stopped: Stopped) -> AttemptEnd:
    """Return how an attempt ends that the worker withdrew or killed."""
    if stopped is Stopped.CANCELLED:
        return Cancelled()
    if stopped is Stopped.INTERRUPTED and not attempt.policy.idempotent:
        text = "the worker stopped while the job ran, and it may not be run twice"
        return after_loss(attempt.policy, attempt.crashes, _lost(text), started=True)
    return Released()


def end_of_returned(attempt: Attempt, outcome: Outcome, chance: float) -> AttemptEnd:
    """Return how an attempt ends whose function returned or raised."""
    if isinstance(outcome, Returned | Committed):
        return Succeeded(outcome.result)
    if isinstance(outcome, Snooze):
        return Snoozed(outcome.delay)
    if outcome.is_final:
        return Failed(outcome.error)
    return after_failure(attempt.policy, attempt.failures, outcome.error, outcome.bases, chance)


def was_cancelled(outcome: Outcome) -> bool:
    """Whether the function says by what it raised that it was asked to stop and has."""
    return isinstance(outcome, Raised) and _CANCELLED in outcome.bases


def end_of_error(attempt: Attempt, error: BaseException, chance: float) -> AttemptEnd:
    """Return how an attempt ends that the pool could not bring to its end."""
    # Their types: an error of the user may claim any class, or raise when asked for it.
    if issubclass(type(error), WorkerLost):
        lost = _of_child(error, _lost(str(error)))
        return after_loss(attempt.policy, attempt.crashes, lost, started=True)
    if issubclass(type(error), PoolError | TaskNotLoaded):
        # The pool is broken, or the code is not there: it has not run, and another worker may run it.
        return Released()
    info, mro = describe_error(error)
    if "\n" not in info.traceback.strip():
        # The pool's own word, such as a time-out: it was never raised, and has no frames.
        info = replace(info, traceback="")
    if type(error) is TimeoutError:
        info = _of_child(error, info)
    return after_failure(attempt.policy, attempt.failures, info, mro, chance)


def _of_child(error: BaseException, info: ErrorInfo) -> ErrorInfo:
    """Return the error with what the pool says of the child that it has lost, or has killed."""
    said = vars(error)
    exitcode, peak = said.get("exitcode", 0), said.get("peak_memory")
    return replace(info, signal=-exitcode if exitcode < 0 else None, peak_memory=peak)


def _lost(text: str) -> ErrorInfo:
    return ErrorInfo(type="WorkerLost", text=text)
