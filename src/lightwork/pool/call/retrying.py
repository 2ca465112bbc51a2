"""Retrying: whether a call whose attempt failed is run again on this machine, and when.

The rules are those of retry.py, as for jobs of a store, so a task that moves
from a pool to a store keeps its meaning. Decided here is what counts:

- What a call raises, and a time-out that killed it, are failures. `Later` is none: it uses
  up no attempt. (Without `retries` nobody has kept what the call was given.)
- A crash is none: the call may have had effects, and a local pool never runs a
  call twice unless it was told to. So WorkerLost, which is also a memory limit
  passed, is followed by another attempt only if `retry_on` names WorkerLost or
  BrokenProcessPool itself. A base of theirs, or no name at all, does not do.

Nothing else that a pool says itself (it is broken, a call was cancelled) is a
reason to try again.
"""

import random
import time
from contextlib import suppress

from lightwork import errors
from lightwork.error_text import class_name
from lightwork.pool.call.options import CallOptions
from lightwork.pool.call.reporter import Observer
from lightwork.retry import delay_before, may_retry, snooze_of


def after_error(options: CallOptions, error: BaseException) -> CallOptions | None:
    """Return the options of the attempt that follows one that raised; None: it was the last."""
    delay = snooze_of(error)
    if delay is not None and options.retries is not None:
        return _told(error, _next(options, delay, snoozes=options.snoozes + 1))
    return _told(error, _following(options, _names(error)))


def after_pool_error(options: CallOptions, error: BaseException) -> CallOptions | None:
    """Return the same where the pool itself ended the attempt."""
    if issubclass(type(error), TimeoutError):
        return _told(error, _following(options, _names(error)))
    if isinstance(error, errors.WorkerLost) and options.retries and options.retries.retry_on:
        lost, standard = errors.WorkerLost, errors.WorkerLost.__bases__[-1]
        return _told(error, _following(options, [class_name(lost), class_name(standard)]))
    return None


def note_attempts(options: CallOptions, error: BaseException) -> None:
    """Let the error of the last attempt say how many there were."""
    if options.attempt > 1:
        # A class may have its own idea of notes; the error must arrive all the same.
        with suppress(BaseException):
            error.add_note(f"This is the error of attempt {options.attempt}, the last.")


def _told(error: BaseException, following: CallOptions | None) -> CallOptions | None:
    if following is not None and isinstance(following.on_progress, Observer):
        following.on_progress.again(error, max(following.start_at - time.monotonic(), 0.0))
    return following


def _following(options: CallOptions, names: list[str]) -> CallOptions | None:
    policy, failures = options.retries, options.attempt - options.snoozes
    if policy is None or not may_retry(policy, failures, names):
        return None
    delay = delay_before(policy.backoff, failures - 1, random.random())
    return _next(options, delay, snoozes=options.snoozes)


def _next(options: CallOptions, delay: float, *, snoozes: int) -> CallOptions:
    start_at = time.monotonic() + delay
    return options._replace(attempt=options.attempt + 1, snoozes=snoozes, start_at=start_at)


def _names(error: BaseException) -> list[str]:
    """Return the names by which `retry_on` may mean the error."""
    names = [class_name(kind) for kind in type(error).__mro__]
    if type(error) is errors.RemoteError:
        # It stands for an error that could not travel, of whose classes this one is known.
        names.append(error.error_type)
    return names
