"""Memory limit: a call that may hold only so much memory, and is told so by MemoryError.

What kills a child (process/plain_limits.py) is measured from outside, 50 times a second:
it always works, but the call has no chance to say what it was doing. Here the
kernel refuses the allocation itself (RLIMIT_DATA), so Python raises MemoryError
where it is asked for, the child lives on, and the limit is reset after the call.

    soft limit = data the child has mapped now + (max_memory - what it holds now)

Counted are private writable pages: the heap, numpy's arrays, thread stacks. Not
counted are stacks of the main thread, files mapped to be read and shared memory:
there the kill is the second line. What is mapped counts before it is touched,
so a call that reserves far more than it uses fails where the kill would not come.
Programs that the call starts inherit the limit, each for itself.

Children import this with the first such call. Only calls that have a limit, in a
pool that was asked for it, pay: 22 us each.
"""

import os
import resource
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class LimitedCall:
    """A function that runs under an allowance of memory."""

    def __init__(self, fn: Callable[..., Any], max_memory: int) -> None:
        self._fn = fn
        self._max_memory = max_memory
        # Names the call in errors of the pool.
        self.__qualname__ = getattr(fn, "__qualname__", type(fn).__qualname__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function; past the allowance its allocations raise MemoryError."""
        before = resource.getrlimit(resource.RLIMIT_DATA)
        _limit_data(_data_allowed(self._max_memory), before)
        try:
            return self._fn(*args, **kwargs)
        finally:
            # Where the call has itself lowered the hard limit, that stands.
            with suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_DATA, before)


def _data_allowed(max_memory: int) -> int:
    fields = Path("/proc/self/statm").read_bytes().split()
    resident, data = int(fields[1]) * _PAGE_BYTES, int(fields[5]) * _PAGE_BYTES
    return data + max(max_memory - resident, 0)


def _limit_data(allowed: int, before: tuple[int, int]) -> None:
    soft, hard = before
    known = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min([allowed, *known]), hard))
