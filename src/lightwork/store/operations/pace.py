"""Pace: how often something may be done that takes long. Pure: no clock, no chance.

What took d seconds is due again a multiple of d later, so all that is done so takes a small share of the time,
and what takes no time is due at once. But nothing rests for more than a minute: what took long may have been held up
once, by a lock or a server that stood still, which says nothing of the next time.
"""

from collections.abc import Hashable
from typing import Final

# Of the time, for all that one pace is asked about.
SHARE: Final = 0.05
LONGEST_REST: Final = 60.0
# Of which is remembered when it is due.
_MOST: Final = 1000


class Pace:
    """When what goes by a name is due again."""

    def __init__(self) -> None:
        self._due_at: dict[Hashable, float] = {}

    def is_due(self, name: Hashable, now: float) -> bool:
        """Whether it may be done now."""
        return now >= self._due_at.get(name, now)

    def note(self, name: Hashable, began: float, ended: float) -> None:
        """Note that it was done from then to then."""
        if len(self._due_at) >= _MOST:
            self._due_at.clear()
        self._due_at.pop(name, None)
        # Whatever rests as well takes its part of the time.
        parts = 1 + sum(due_at > began for due_at in self._due_at.values())
        self._due_at[name] = ended + min((ended - began) * parts / SHARE, LONGEST_REST)

    def forget(self) -> None:
        """Let all be due."""
        self._due_at.clear()
