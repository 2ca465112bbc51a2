"""Waiting calls: those of a pool that no child has been given. Pure: the clock is told."""

from collections import deque
from typing import Generic, TypeVar

from lightwork.pool.call.timer_heap import TimerHeap
from lightwork.pool.link.process_call import ProcessCall

T = TypeVar("T")


class PriorityLine(Generic[T]):
    """Calls, the highest priority first, else in order."""

    def __init__(self) -> None:
        self._lines: dict[int, deque[T]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, call: T, priority: int) -> None:
        """Append a new call to its line."""
        line = self._lines.get(priority)
        if line is None:
            line = self._open_line(priority)
        line.append(call)
        self._count += 1

    def put_back(self, call: T, priority: int) -> None:
        """Return a call that was taken; it is the next of its line again."""
        line = self._lines.get(priority)
        if line is None:
            line = self._open_line(priority)
        line.appendleft(call)
        self._count += 1

    def first(self) -> T:
        """Return the next call without taking it; there must be one."""
        for line in self._lines.values():
            return line[0]
        raise IndexError("no call is waiting")

    def take(self) -> T:
        """Take the next call; there must be one."""
        for priority, line in self._lines.items():
            call = line.popleft()
            self._count -= 1
            if not line:
                # Every line in the table holds a call: the first one is looked at.
                del self._lines[priority]
            return call
        raise IndexError("no call is waiting")

    def clear(self) -> list[T]:
        """Take all calls."""
        taken = [call for line in self._lines.values() for call in line]
        self._lines.clear()
        self._count = 0
        return taken

    def _open_line(self, priority: int) -> deque[T]:
        # Kept sorted by insertion so that taking is a look at the first line.
        line = self._lines[priority] = deque()
        if len(self._lines) > 1:
            self._lines = dict(sorted(self._lines.items(), reverse=True))
        return line


class WaitingCalls:
    """Calls that wait for a child, in two lines, and those that wait for their time."""

    def __init__(self) -> None:
        self.plain: PriorityLine[ProcessCall] = PriorityLine()
        # Calls of coroutine functions: a child that has no room for others may have it for them.
        self.coroutines: PriorityLine[ProcessCall] = PriorityLine()
        self.parked: TimerHeap[ProcessCall] = TimerHeap()

    def add(self, call: ProcessCall) -> None:
        """Let a call wait for a child."""
        line = self.coroutines if call.function.is_async else self.plain
        line.add(call, call.options.priority)

    def put_back(self, call: ProcessCall) -> None:
        """Let a call that no child has begun wait again, as the next of its line."""
        line = self.coroutines if call.function.is_async else self.plain
        line.put_back(call, call.options.priority)

    def park(self, call: ProcessCall) -> None:
        """Let a call wait until it may start."""
        self.parked.look_at(call.seq, call, call.options.start_at)

    def unpark(self, now: float) -> None:
        """Let the calls wait for a child whose time has come."""
        for call in self.parked.take_due(now):
            self.add(call)

    def take_lines(self) -> list[ProcessCall]:
        """Take every call that waits for a child."""
        return self.plain.clear() + self.coroutines.clear()

    def take_all(self) -> list[ProcessCall]:
        """Take every call."""
        return self.take_lines() + self.parked.take_all()
