"""Resting: tasks that could not be loaded, and until when a worker leaves each alone. Pure: it is told the time.

A deploy is over in a second or two; a module that is gone for good must not be tried all the time.
So a task rests for a second, and twice as long after each failure that follows a rest, up to a minute,
until an attempt of it has run.
"""

from dataclasses import dataclass
from typing import Final

_FIRST_SECONDS: Final = 1.0
_MOST_SECONDS: Final = 60.0


@dataclass(slots=True)
class _Rest:
    seconds: float
    until: float
    error: str


class Rests:
    """Tasks that rest, by name; used by the worker's loop only. Instants are monotonic seconds."""

    def __init__(self) -> None:
        self._rests: dict[str, _Rest] = {}
        # How often others have something new to hear.
        self.changes = 0

    def begin(self, task: str, error: str, now: float) -> float:
        """Let a task rest that was not loaded; return for how many seconds, 0: it rests already."""
        last = self._rests.get(task)
        if last is not None and now < last.until:
            # Another attempt of the same turn.
            return 0.0
        seconds = _FIRST_SECONDS if last is None else min(2 * last.seconds, _MOST_SECONDS)
        if last is None or last.error != error:
            self.changes += 1
        self._rests[task] = _Rest(seconds, now + seconds, error)
        return seconds

    def has(self, task: str, now: float) -> bool:
        """Whether the task rests now."""
        rest = self._rests.get(task)
        return rest is not None and now < rest.until

    def note_ran(self, task: str) -> None:
        """Note that an attempt of the task has run: it was loaded."""
        if self._rests and self._rests.pop(task, None) is not None:
            self.changes += 1

    def errors(self) -> dict[str, str]:
        """Return what loading raised, of each task that rests or may have to rest again."""
        return {task: rest.error for task, rest in self._rests.items()}
