"""Kept: pools that one `Parallel` has left for the next.

A program that calls `Parallel` in a loop, as scikit-learn does, would start children and
import numpy in them each time: a second, against milliseconds of work. So a pool is lent to
one call at a time and kept afterwards; its children end after five minutes without work.
Two calls at once have two pools: what one of them kills is its own.
"""

import os
import threading
from collections.abc import Callable
from typing import Any, Final

from lightwork.pool.executor.executor import Executor

IDLE_SECONDS: Final = 300.0
# Of different shapes; a program that alternates between two keeps both.
_MOST: Final = 2


class KeptExecutors:
    """Pools that nobody uses now, by shape."""

    def __init__(self) -> None:
        self._forget()
        # A child of fork has none of their children, and no thread that may hold the lock.
        os.register_at_fork(after_in_child=self._forget)

    def take(self, shape: object, make: Callable[[], Executor]) -> Executor:
        """Return a pool of this shape that nobody uses, or a new one."""
        with self._lock:
            found = next((one for one in self._kept if _is_same(one[0], shape)), None)
            if found is not None:
                self._kept.remove(found)
        return found[1] if found is not None else make()

    def give_back(self, shape: object, executor: Executor) -> None:
        """Keep the pool for the next call; the oldest one goes if there are too many."""
        with self._lock:
            self._kept.append((shape, executor))
            old = self._kept.pop(0)[1] if len(self._kept) > _MOST else None
        if old is not None:
            old.shutdown(wait=False)

    def shutdown(self) -> None:
        """End those that are kept, and wait for their end."""
        with self._lock:
            kept = self._kept.copy()
            self._kept.clear()
        for _shape, executor in kept:
            executor.shutdown()

    def _forget(self) -> None:
        self._lock = threading.Lock()  # guards _kept
        self._kept: list[tuple[object, Executor]] = []


def _is_same(shape: Any, other: Any) -> bool:
    try:
        return bool(shape == other)
    except Exception:
        # An initializer's arguments may be arrays, which have no truth.
        return False


KEPT: Final = KeptExecutors()
