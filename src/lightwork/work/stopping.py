"""Stopping: how a worker is told to end, and how long what it runs may still take.

By a signal, or `stop`: running jobs get the grace period; asked again, none. Through the
store (`lightwork workers drain`): they get all the time they need. Either way it claims
nothing more. Used by its loop; only `ask` may come from any thread.
"""

from typing import Final

from lightwork.clock import monotonic

FOREVER: Final = float("inf")
# Between two looks whether the store says so, and two kills of what does not end.
_DRAIN_SECONDS: Final = 1.0
_INTERRUPT_SECONDS: Final = 0.1


class Stopping:
    """What one worker was told."""

    def __init__(self) -> None:
        # One entry for each request: several threads may ask at once, and none may be lost.
        self._requests: list[None] = []
        self._drain_at = monotonic() + _DRAIN_SECONDS
        self.is_draining = False
        # When what runs is ended.
        self.grace_until = FOREVER

    def ask(self) -> int:
        """Note a request; return how many there were."""
        self._requests.append(None)
        return self.asked

    @property
    def asked(self) -> int:
        """How often it was asked, apart from the store."""
        return len(self._requests)

    @property
    def is_ending(self) -> bool:
        """Whether it claims nothing more."""
        return self.is_draining or self.asked > 0

    def may_look(self) -> bool:
        """Whether it is time to look what the store says."""
        if self.is_ending or monotonic() < self._drain_at:
            return False
        self._drain_at = monotonic() + _DRAIN_SECONDS
        return True

    def is_new(self, grace: float) -> bool:
        """Begin the grace period, if it has not begun; return whether it has now."""
        if self.grace_until != FOREVER:
            return False
        self.grace_until = monotonic() + grace
        return True

    def must_interrupt(self) -> bool:
        """Whether what runs is to be ended now; asked again and again until it has."""
        if self.asked < 2 and monotonic() < self.grace_until:
            return False
        # In every turn: what waited behind a killed call may have begun since.
        self.grace_until = monotonic() + _INTERRUPT_SECONDS
        return True
