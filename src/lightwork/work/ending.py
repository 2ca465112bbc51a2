"""Ending: from what came out of a pool to the event that ends an attempt. Pure."""

from dataclasses import replace
from enum import Enum

from lightwork.description import describe_error
from lightwork.errors import PoolError, WorkerLost
from lightwork.lifecycle import AttemptEnd, Cancelled, Failed, Released, Succeeded
from lightwork.model import Attempt, ErrorInfo
from lightwork.retry import after_failure, after_loss
from lightwork.work.runner import Raised, Returned


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


def end_of_returned(attempt: Attempt, outcome: Returned | Raised, chance: float) -> AttemptEnd:
    """Return how an attempt ends whose function returned or raised."""
    if isinstance(outcome, Returned):
        return Succeeded(outcome.result)
    if outcome.is_final:
        return Failed(outcome.error)
    return after_failure(attempt.policy, attempt.failures, outcome.error, outcome.bases, chance)


def end_of_error(attempt: Attempt, error: BaseException, chance: float) -> AttemptEnd:
    """Return how an attempt ends that the pool could not bring to its end."""
    # Their types: an error of the user may claim any class, or raise when asked for it.
    if issubclass(type(error), WorkerLost):
        return after_loss(attempt.policy, attempt.crashes, _lost(str(error)), started=True)
    if issubclass(type(error), PoolError):
        # The pool is broken, not the task: another worker runs it.
        return Released()
    info, mro = describe_error(error)
    if "\n" not in info.traceback.strip():
        # The pool's own word, such as a time-out: it was never raised, and has no frames.
        info = replace(info, traceback="")
    return after_failure(attempt.policy, attempt.failures, info, mro, chance)


def _lost(text: str) -> ErrorInfo:
    return ErrorInfo(type="WorkerLost", text=text)
