"""Halt: when a map stops before its input does, and the exit status of its end. Pure.

never             run everything (the default)
soon,fail=3       start no more jobs once 3 failed; let running ones end
now,fail=1        the same, and kill running ones
soon,fail=20%     once 20 % of the finished jobs failed, from the third on
now,success=1     once one succeeded; done=N counts both

The exit status, as GNU parallel counts it:

0        all jobs succeeded, or as many as --halt now,success=N asked for
1-100    so many jobs failed; with --halt now,fail=20% so many percent of them
101      more than 100 did
N        with --halt now,fail=1: what the failed job ended with
"""

import re
from dataclasses import dataclass
from typing import Final

from lightwork.errors import UsageError
from lightwork.parallel.jobs import End

_FORM: Final = re.compile(r"(now|soon),(fail|success|done)=(\d{1,9}(?:\.\d{1,3})?)(%?)")
# A share of fewer jobs says nothing; as in GNU parallel.
_FEWEST: Final = 3
MANY: Final = 101
# What a shell adds to the number of a signal.
_SIGNALLED: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many jobs ended how."""

    succeeded: int = 0
    failed: int = 0

    @property
    def done(self) -> int:
        """How many ended."""
        return self.succeeded + self.failed

    def plus(self, *, failed: bool) -> "Tally":
        """Return the tally with one more."""
        return Tally(succeeded=self.succeeded + (not failed), failed=self.failed + failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """A rule; `limit` is a number of jobs, or a percentage of those that ended."""

    kills: bool = False
    counted: str = "done"
    limit: float = float("inf")
    is_share: bool = False

    def is_reached(self, tally: Tally) -> bool:
        """Whether it is time to stop."""
        counts = {"fail": tally.failed, "success": tally.succeeded, "done": tally.done}
        count = counts[self.counted]
        if not self.is_share:
            return count >= self.limit
        return tally.done >= _FEWEST and count * 100 >= self.limit * tally.done


NEVER: Final = Halt()


def parse_halt(text: str) -> Halt:
    """Return the rule that these words mean.

    Raises:
        UsageError: They mean none.
    """
    if text == "never":
        return NEVER
    found = _FORM.fullmatch(text)
    if found is None or not float(found[3]) or (not found[4] and "." in found[3]):
        raise UsageError(
            f"{text!r} is no rule to halt; expected never, or now or soon with a count or "
            "share, such as now,fail=1 or soon,fail=20%"
        )
    return Halt(
        kills=found[1] == "now", counted=found[2], limit=float(found[3]), is_share=bool(found[4])
    )


def exit_status(tally: Tally, reached: Halt, failure: End | None) -> int:
    """Return the exit status.

    Args:
        tally: How many jobs ended how.
        reached: The rule that has ended the map early; NEVER: none has.
        failure: The last job that failed, if one did.
    """
    if reached.counted == "success":
        return 0
    if reached.counted == "fail" and reached.is_share:
        return round(100 * tally.failed / tally.done)
    if reached.counted == "fail" and reached.limit == 1 and failure is not None:
        return _SIGNALLED + failure.signal if failure.signal else failure.status
    return min(tally.failed, MANY)
