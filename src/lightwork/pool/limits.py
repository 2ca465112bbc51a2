"""Limits: when the pool must look at which call. Pure: the clock is told.

Only calls with a time-out or a memory limit are in here, and only until they
are over: a time-out of an hour must not keep the arguments of a call that took
a second.
"""

import heapq
from typing import Final, Generic, TypeVar

T = TypeVar("T")

NEVER: Final = float("inf")
# Below this many entries void ones cost less than looking for them.
_FEW: Final = 64


class Limits(Generic[T]):
    """Calls by number, each with the instant of the next look at it."""

    def __init__(self) -> None:
        self._calls: dict[int, tuple[float, T]] = {}
        # (instant, number); void unless the table agrees.
        self._heap: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._calls)

    def look_at(self, seq: int, call: T, instant: float) -> None:
        """Look at the call then, and not before."""
        self._calls[seq] = (instant, call)
        heapq.heappush(self._heap, (instant, seq))

    def drop(self, seq: int) -> None:
        """Forget a call that is over; it need not be known."""
        if self._calls.pop(seq, None) is not None and len(self._heap) > max(
            _FEW, 2 * len(self._calls)
        ):
            self._heap = [(instant, seq) for seq, (instant, _) in self._calls.items()]
            heapq.heapify(self._heap)

    def next(self) -> float:
        """Return the instant of the next look, NEVER if there is none."""
        while self._heap and self._is_void(*self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else NEVER

    def take_due(self, now: float) -> list[T]:
        """Take the calls that are to be looked at now."""
        due: list[T] = []
        while self.next() <= now:
            due.append(self._calls.pop(heapq.heappop(self._heap)[1])[1])
        return due

    def take_all(self) -> list[T]:
        """Take every call."""
        calls = [call for _, call in self._calls.values()]
        self._calls.clear()
        return calls

    def _is_void(self, instant: float, seq: int) -> bool:
        known = self._calls.get(seq)
        return known is None or known[0] != instant
