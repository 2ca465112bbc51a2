"""Timer heap: what is to be looked at when. Pure: the clock is told.

What is over is forgotten at once: a time-out of an hour must not keep the arguments
of a call that took a second.
"""

import heapq
from typing import Final, Generic, TypeVar

T = TypeVar("T")

NEVER: Final = float("inf")
# Below this many entries void ones cost less than looking for them.
_FEW: Final = 64


class TimerHeap(Generic[T]):
    """Values by number, each with the instant at which it is due."""

    def __init__(self) -> None:
        self._values: dict[int, tuple[float, T]] = {}
        # (instant, number); void unless the table agrees.
        self._heap: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._values)

    def look_at(self, seq: int, value: T, instant: float) -> bool:
        """Have the value due then, and not before; return whether it is the first of all."""
        self._values[seq] = (instant, value)
        heapq.heappush(self._heap, (instant, seq))
        return self._heap[0] == (instant, seq)

    def drop(self, seq: int) -> None:
        """Forget a value; it need not be known."""
        known = self._values.pop(seq, None)
        if known is not None and len(self._heap) > max(_FEW, 2 * len(self._values)):
            heap, self._heap = self._heap, []
            # In place: a finalizer may come in between and add one.
            self._heap += [entry for entry in heap if not self._is_void(*entry)]
            heapq.heapify(self._heap)

    def next(self) -> float:
        """Return the instant at which something is due, NEVER if there is none."""
        while self._heap and self._is_void(*self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else NEVER

    def take_next(self) -> T:
        """Take the value that is due first; there must be one."""
        self.next()
        return self._values.pop(heapq.heappop(self._heap)[1])[1]

    def take_due(self, now: float) -> list[T]:
        """Take the values that are due."""
        due: list[T] = []
        while self.next() <= now:
            due.append(self.take_next())
        return due

    def take_all(self) -> list[T]:
        """Take every value."""
        values = [value for _, value in self._values.values()]
        self._values.clear()
        return values

    def _is_void(self, instant: float, seq: int) -> bool:
        known = self._values.get(seq)
        return known is None or known[0] != instant
