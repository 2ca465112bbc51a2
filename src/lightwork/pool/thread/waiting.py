"""Waiting: calls that have not begun, of a pool's threads or of its event loop.

    ready     by priority, else in order
    parked    their time has not come: they have a delay, or failed and are run again

The owner's lock is held in here. It is reentrant, because the garbage collector may
submit or cancel anywhere: each change of a table is one operation.
"""

import heapq
import itertools
import time
from collections.abc import Callable
from functools import partial
from typing import Final, Generic, Protocol, TypeVar

from lightwork.pool.call.options import CallOptions
from lightwork.pool.thread.timer_thread import TimerThread

NO_TIMER: Final = "this call has a delay, and the system gives no thread to wait for that"


class _Call(Protocol):
    options: CallOptions


C = TypeVar("C", bound=_Call)


class Waiting(Generic[C]):
    """Calls that have not begun; `timers` tells when the time of a parked one has come."""

    def __init__(self, timers: TimerThread) -> None:
        self._timers = timers
        self._serial = itertools.count()
        self._ready: list[tuple[int, int, C]] = []
        # Each with the number of its timer.
        self._parked: dict[C, int] = {}
        self._is_closed = False

    def __bool__(self) -> bool:
        return bool(self._ready or self._parked)

    @property
    def are_parked(self) -> bool:
        """Whether the time of some has not come."""
        return bool(self._parked)

    def push(self, call: C) -> None:
        """Add a call."""
        heapq.heappush(self._ready, (-call.options.priority, next(self._serial), call))

    def take(self) -> C | None:
        """Take the call that is next, if there is one."""
        return heapq.heappop(self._ready)[2] if self._ready else None

    def park(self, call: C, options: CallOptions, start: Callable[[C], object]) -> bool:
        """Let a call wait until it may start under these options, when `start` is called.

        Returns:
            False: it is too late for that, or there is no thread that keeps the time.
        """
        if self._is_closed:
            return False
        seconds = max(options.start_at - time.monotonic(), 0.0)
        try:
            self._parked[call] = self._timers.act_in(seconds, partial(start, call))
        except RuntimeError:
            return False
        call.options = options
        return True

    def unpark(self, call: C) -> bool:
        """Return whether the call was parked, which it is not any more."""
        timer = self._parked.pop(call, None)
        if timer is not None:
            self._timers.disarm(timer)
        return timer is not None

    def close(self) -> list[C]:
        """Take all of them, for good: none is parked any more."""
        self._is_closed = True
        ready, self._ready = self._ready, []
        parked = list(self._parked)
        for call in parked:
            self.unpark(call)
        return [call for _, _, call in sorted(ready)] + parked
