"""Peak memory: what a child has held at most while one attempt of a job ran.

The kernel remembers the most that a process has ever held (ru_maxrss), and a child runs many
attempts. So before one begins, the kernel is asked to forget what was (a 5 written to clear_refs, 3.5 us).

    begin()      forget; note in the control block above what a peak counts
    peak()       the most since, for an attempt that raised; the child asks
    end()        nobody's from here on
    a death      the fork server is told the peak with the exit status, the pool reads the note

What is honest about it:
- Attempts that begin within a millisecond of one another share what they have held, because
  forgetting for each would cost short jobs as much as all else that is done for them here.
- Programs that the child has waited for count as well, the largest of them. Of these the kernel forgets
  nothing: where an earlier one was larger than all of this attempt, its peak is not known.
- Where the kernel may not be asked (a sandbox), the same holds of the child itself.
- A call that shares its process with others, a coroutine or a thread, has no peak of its own.

It is resident memory, shared pages included; a task that asks for its own ru_maxrss gets this attempt's.
"""

import contextlib
import os
import resource
from typing import Final

from lightwork.pool.memory.control_block import PEAK_FROM, own_block

# Seconds.
_SHARED: Final = 0.001


class _Forgotten:
    """When the kernel was last asked to forget, and the bytes above which a peak counts since."""

    at = -_SHARED
    counts_from = 0


_last: Final = _Forgotten()


def begin(now: float) -> None:
    """An attempt begins, the only one of its process; elsewhere than in a child nothing happens.

    Args:
        now: Of the monotonic clock.
    """
    if not own_block:
        return
    if now - _last.at >= _SHARED:
        _last.at = now
        # At least 1: 0 says that nobody looks.
        _last.counts_from = max(_most(is_forgotten=_forget()), 1)
    own_block[0].words[PEAK_FROM] = _last.counts_from


def peak() -> int | None:
    """Return the bytes that were held at most since the attempt began; None: not known."""
    counts_from = own_block[0].words[PEAK_FROM] if own_block else 0
    reached = _most(is_forgotten=False)
    return reached if 0 < counts_from < reached else None


def end() -> None:
    """The attempt has ended: what the child holds from here on is nobody's."""
    if own_block:
        own_block[0].words[PEAK_FROM] = 0


def _most(*, is_forgotten: bool) -> int:
    """Return the most that programs which were waited for have held, and this process, unless forgotten."""
    of_programs = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    own = 0 if is_forgotten else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return max(own, of_programs) * 1024


def _forget() -> bool:
    # Opened each time: a number that is kept may be another file's once a task has closed what it did
    # not open.
    with contextlib.suppress(OSError):
        fd = os.open("/proc/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, b"5")
        finally:
            os.close(fd)
        return True
    return False
