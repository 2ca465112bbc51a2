"""Status: the exit status of a map, as GNU parallel counts it. Pure.

0        all jobs succeeded, or as many as --halt now,success=N asked for
1-100    so many jobs failed; with --halt now,fail=20% so many percent of them
101      more than 100 did
N        with --halt now,fail=1: what the failed job ended with
"""

from typing import Final

from lightwork.cli.parallel.halt import Halt, Tally
from lightwork.cli.parallel.jobs import End

MANY: Final = 101
# What a shell adds to the number of a signal.
_SIGNALLED: Final = 128


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
