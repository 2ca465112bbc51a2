"""Again: whether a call whose attempt failed is run again on this machine, and when.

The rules are those of retry.py, as for jobs of a store, so a task that moves
from a pool to a store keeps its meaning. Decided here is what counts:

- What a call raises, and a time-out that killed it, are failures.
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
from dataclasses import replace
from typing import Final

from lightwork.error_text import class_name
from lightwork.errors import RemoteError, WorkerLost
from lightwork.pool.call import CallOptions
from lightwork.retry import delay_before, may_retry

# Read from the class: retry_on may name either.
_CRASH_NAMES: Final = [
    f"{kind.__module__}.{kind.__qualname__}"
    for kind in WorkerLost.__mro__
    if kind.__name__ in {"WorkerLost", "BrokenProcessPool"}
]


def after_error(options: CallOptions, error: BaseException) -> CallOptions | None:
    """Return the options of the attempt that follows one that raised; None: it was the last."""
    return _following(options, _names(error))


def after_pool_error(options: CallOptions, error: BaseException) -> CallOptions | None:
    """Return the same where the pool itself ended the attempt."""
    if issubclass(type(error), TimeoutError):
        return _following(options, _names(error))
    if isinstance(error, WorkerLost) and options.retries and options.retries.retry_on:
        return _following(options, _CRASH_NAMES)
    return None


def without_retries(options: CallOptions) -> CallOptions:
    """Return options under which the attempt that runs is the last."""
    return options if options.retries is None else replace(options, retries=None)


def note_attempts(options: CallOptions, error: BaseException) -> None:
    """Let the error of the last attempt say how many there were."""
    if options.attempt > 1:
        # A class may have its own idea of notes; the error must arrive all the same.
        with suppress(BaseException):
            error.add_note(f"This is the error of attempt {options.attempt}, the last.")


def _following(options: CallOptions, names: list[str]) -> CallOptions | None:
    policy, failures = options.retries, options.attempt
    if policy is None or not may_retry(policy, failures, names):
        return None
    delay = delay_before(policy.backoff, failures - 1, random.random())
    return replace(options, attempt=failures + 1, start_at=time.monotonic() + delay)


def _names(error: BaseException) -> list[str]:
    """Return the names by which `retry_on` may mean the error."""
    names = [class_name(kind) for kind in type(error).__mro__]
    if type(error) is RemoteError:
        # It stands for an error that could not travel, of whose classes this one is known.
        names.append(error.error_type)
    return names
