"""Gate: when the next job may be started, though there is room for it. Pure.

    --delay     not before so long after the one before
    --load      not while so many processes run on this machine
    --memfree   not while less memory is free; below half of it the youngest job goes back

What the machine says is read by whoever is handed in (machine.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

# Between two looks at the machine, and between two starts while it is looked at: what was
# just started does not show in its figures yet.
LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the machine does: `running` processes beside this one, `free` bytes of memory."""

    running: int
    free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRules:
    """When jobs may be started.

    Attributes:
        delay: Seconds between two starts.
        load: Fewer processes than this must run; 0: any number may.
        memfree: So many bytes of memory must be free; 0: none need be.
    """

    delay: float = 0.0
    load: float = 0.0
    memfree: int = 0

    @property
    def is_open(self) -> bool:
        """Whether jobs may be started at any time."""
        return self == OPEN

    @property
    def looks(self) -> bool:
        """Whether the machine decides, too."""
        return bool(self.load or self.memfree)


OPEN: Final = GateRules()


class Gate:
    """Says when a job may be started.

    Args:
        rules: What was asked for.
        look: Returns what the machine does now.
    """

    def __init__(self, rules: GateRules, look: Callable[[], Machine]) -> None:
        self._rules = rules
        self._look = look
        self._next_at = float("-inf")

    def seconds_left(self, now: float) -> float:
        """Return how long to wait before asking again; 0: a job may be started now."""
        if now < self._next_at:
            return self._next_at - now
        if self._rules.looks and self._is_busy(self._look()):
            return LOOK_SECONDS
        return 0.0

    def note_start(self, now: float) -> None:
        """Take note that a job was started."""
        self._next_at = now + max(self._rules.delay, LOOK_SECONDS if self._rules.looks else 0.0)

    def is_starved(self) -> bool:
        """Whether memory is so short that a job should give its own back."""
        return bool(self._rules.memfree) and self._look().free * 2 < self._rules.memfree

    def _is_busy(self, machine: Machine) -> bool:
        rules = self._rules
        if rules.load and machine.running >= rules.load:
            return True
        return machine.free < rules.memfree
