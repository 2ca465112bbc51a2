"""Plan: what a pool of children does next. Pure: numbers in, decision out.

The aim: a short call never waits for a round trip, a long call never has
another one waiting behind it.

- An idle child always gets the next call.
- A busy child is given more only if all it then holds is expected to take less
  than AHEAD_SECONDS, which hides the round trip (about 100 us) many times over
  and delays nobody noticeably. A function that was never measured counts as long.
- When a call turns out to be long all the same, what waits behind it is taken
  back (STALLED_SECONDS) and given to others.
"""

from collections import deque
from typing import Final, Generic, TypeVar

T = TypeVar("T")

AHEAD_SECONDS: Final = 0.002
# Half of a pipe of 1024 packets: a function may need a packet of its own. Many,
# because a dispatcher whose program is busy gets its turn every 5 ms (the
# interpreter's switch interval), while no-ops take 10 us.
AHEAD_CALLS: Final = 512
# Bytes of arguments on their way to one child.
AHEAD_BYTES: Final = 4 << 20
# Coroutine calls on one event loop at a time, unless the user says otherwise.
ASYNC_CALLS: Final = 100
STALLED_SECONDS: Final = 0.005
# How soon and how seldom the pool looks for answers that wait behind a call.
PEEK_FIRST_SECONDS: Final = 0.001
PEEK_LAST_SECONDS: Final = 0.05
# So many children in a row that die before they are ready end a pool of which none
# was ever ready; once children did start, somebody may be killing them.
START_FAILURES_MAX: Final = 3
_RESTART_FAILURES_MAX: Final = 30


def may_send_ahead(
    held_calls: int, held_seconds: float, held_bytes: int, *, seconds: float, size: int
) -> bool:
    """Whether a busy child may be given another call.

    Args:
        held_calls: Calls that it was given and has not answered.
        held_seconds: How long these are expected to take together.
        held_bytes: Size of their arguments.
        seconds: Expected duration of the new call; negative when not known.
        size: Size of its arguments.
    """
    return (
        seconds >= 0
        and held_calls < AHEAD_CALLS
        and held_seconds + seconds <= AHEAD_SECONDS
        and held_bytes + size <= AHEAD_BYTES
    )


def is_start_hopeless(failures: int, *, was_ready: bool) -> bool:
    """Whether to give up after so many children in a row have died before they were ready."""
    return failures >= (_RESTART_FAILURES_MAX if was_ready else START_FAILURES_MAX)


def next_peek_delay(looks: int) -> float:
    """Return the seconds until the next look, after so many in vain."""
    return min(PEEK_FIRST_SECONDS * 2.0 ** min(looks, 10), PEEK_LAST_SECONDS)


class Waiting(Generic[T]):
    """Calls that no child has been given, the highest priority first, else in order."""

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
