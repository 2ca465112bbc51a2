"""Free threading: what stands in for the global interpreter lock where a build has none.

Nothing in this package may be right only because one thread runs at a time. Most of it
needs no help: tables have locks, and one operation of a deque, dict or set is whole in
both kinds of build. What is left stands here, and costs ordinary builds nothing.
"""

import itertools
import sys
import threading
from collections.abc import Iterator
from typing import Final

# Once on, it stays on; so what is chosen for builds without it is right for both.
HAS_GIL: Final[bool] = getattr(sys, "_is_gil_enabled", lambda: True)()


class LockedCount:
    """A count of which any thread may take the next number."""

    def __init__(self, start: int) -> None:
        # Reentrant: the garbage collector may run what counts as well. Then too no number
        # comes twice, because one `next` is done before anything else of this thread runs.
        self._lock = threading.RLock()
        self._numbers = itertools.count(start)

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        with self._lock:
            return next(self._numbers)


def numbers(start: int = 0) -> Iterator[int]:
    """Return a count of which any thread may take the next number.

    With a GIL that is `itertools.count` itself; without one two threads may get the same
    number from it (CPython 3.13).
    """
    return itertools.count(start) if HAS_GIL else LockedCount(start)
