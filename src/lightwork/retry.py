"""Retry: what follows an attempt that failed or was lost.

Decides and nothing more: it gets the policy, what was counted so far and one
random number, and names the lifecycle event that ends the attempt. The worker
acks that event; rescue uses the same decision for attempts of dead workers, so
both paths agree on when a job has crashed once too often.

Failures are about the task and are bounded by `retries`; crashes are about the
machine and are bounded by `max_crashes`. Neither counts against the other.

Blame. A worker holds attempts that have not begun, and the store learns which have
only now and then, so that short jobs cost no write for it. An attempt that is lost
before it was known to have begun is forfeited: nobody is blamed, whatever killed the
worker. But a job that takes its worker down at once would never be known to have
begun. So after SUSPECT_LOSSES of them a job is a suspect: it is only claimed into a
slot that is free, and that claim itself says that it begins. Then it is blamed like
any other, and ends after SUSPECT_LOSSES + max_crashes attempts at most; an innocent
that was only ever held beside it runs as soon as the guilty one has ended. A job
that may not run twice is a suspect from its first claim on: it is never claimed
ahead, and once claimed never given to another worker.

Whatever a task raises is a failure like any other, KeyboardInterrupt and
SystemExit included: only the death of the process is a crash. `Later` is neither: the task
itself has asked to be run again.
"""

from collections.abc import Sequence
from typing import Final

from lightwork.errors import UsageError
from lightwork.lifecycle import Failed, Forfeited, Lost, Quarantined, Retried
from lightwork.model import Backoff, ErrorInfo, Policy
from lightwork.numeric import as_number

# Attempts of a job that were lost before they had begun, until it is suspected.
SUSPECT_LOSSES: Final = 3


class Later(Exception):  # noqa: N818 - what a task says, not what went wrong
    """Raised by a task: run this job again after so many seconds; nothing has failed.

    The attempt ends, the next one has the next number, and neither `retries` nor
    `max_crashes` are used up. On executors of this machine it is obeyed where the task declares
    `retries`, for only then a pool keeps what the call was given; else the future has it.

    Raises:
        UsageError: `seconds` is no number from 0 on, less than 1e9.
    """

    __module__ = "lightwork"

    seconds: float

    def __init__(self, seconds: float = 0.0) -> None:
        number = as_number(seconds)
        # With >= the upper bound refuses infinity and NaN, too.
        if number is None or not 0 <= number < 1e9:
            raise UsageError(
                f"Later expects seconds from 0 on, less than 1e9; seen: {seconds!r:.100}"
            )
        super().__init__(number)
        self.seconds = number

    def __str__(self) -> str:
        return (
            f"the call asked to be run again in {self.seconds:g} s, which a local pool does only "
            "for tasks that declare retries"
        )


def snooze_of(error: BaseException) -> float | None:
    """Return the seconds after which the task asks to be run again; None: it does not.

    None too where a class of the user's has lost them: then it is an error like others.
    """
    if not issubclass(type(error), Later):
        return None
    try:
        return Later(error.args[0]).seconds
    except Exception:
        return None


def delay_before(backoff: Backoff, failures: int, chance: float) -> float:
    """Return the seconds to wait before the next attempt.

    Args:
        backoff: How the delay grows.
        failures: Failed attempts before the one that just failed: 0 waits `base`.
        chance: Uniform in [0, 1); 0 gives the longest delay, towards 1 the shortest.
    """
    return _full_delay(backoff, failures) * (1.0 - min(backoff.jitter, 1.0) * chance)


def may_retry(policy: Policy, failures: int, mro: Sequence[str]) -> bool:
    """Return whether another attempt follows.

    Args:
        policy: What the task declares.
        failures: Failed attempts so far, this one included.
        mro: Qualified names of the raised exception's class and its bases.
    """
    return failures <= policy.retries and _is_listed(policy.retry_on, mro)


def after_failure(
    policy: Policy,
    failures_before: int,
    error: ErrorInfo,
    mro: Sequence[str],
    chance: float,
) -> Retried | Failed:
    """Decide how an attempt that raised an exception ends."""
    if may_retry(policy, failures_before + 1, mro):
        return Retried(error, delay_before(policy.backoff, failures_before, chance))
    return Failed(error)


def after_loss(
    policy: Policy, crashes_before: int, error: ErrorInfo, *, started: bool
) -> Lost | Quarantined | Forfeited:
    """Decide how an attempt ends whose child, worker or machine died.

    Args:
        policy: What the task declares.
        crashes_before: Attempts of this job that were lost earlier.
        error: Kept with the attempt.
        started: Whether the function is known to have begun, or was claimed to begin.
    """
    if not started:
        return Forfeited()
    if not policy.idempotent or crashes_before + 1 >= policy.max_crashes:
        return Quarantined(error)
    return Lost(error)


def _full_delay(backoff: Backoff, failures: int) -> float:
    try:
        # As float: an integer factor would be raised to millions of digits.
        growth = float(backoff.factor) ** failures
    except OverflowError:
        return backoff.cap if backoff.base else 0.0
    return min(backoff.base * growth, backoff.cap)


def _is_listed(retry_on: Sequence[str], mro: Sequence[str]) -> bool:
    return not retry_on or any(_is_same(listed, name) for listed in retry_on for name in mro)


def _is_same(listed: str, name: str) -> bool:
    # The script that declares a task is __main__ to itself and a module to its workers.
    for one, other in ((listed, name), (name, listed)):
        if one.startswith("__main__.") and other.endswith(one.removeprefix("__main__")):
            return True
    # People write OSError; a class's own name is builtins.OSError.
    return listed.removeprefix("builtins.") == name.removeprefix("builtins.")
