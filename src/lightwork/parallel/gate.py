"""Gate: when the next job may be started, though there is room for it.

    --delay     not before so long after the one before
    --load      not while so many processes run on this machine
    --memfree   not while less memory is free; below half of it the youngest job goes back

The gate is pure: what the machine does is told by `look`, which is handed in.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Between two looks at the machine, and between two starts while it is looked at: what was
# just started does not show in its figures yet.
LOOK_SECONDS: Final = 0.1
_LOAD: Final = Path("/proc/loadavg")
_MEMORY: Final = Path("/proc/meminfo")


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
        if not self._rules.looks:
            return 0.0
        machine, load = self._look(), self._rules.load
        is_busy = (load and machine.running >= load) or machine.free < self._rules.memfree
        return LOOK_SECONDS if is_busy else 0.0

    def note_start(self, now: float) -> None:
        """Take note that a job was started."""
        self._next_at = now + max(self._rules.delay, LOOK_SECONDS if self._rules.looks else 0.0)

    def is_starved(self) -> bool:
        """Whether memory is so short that a job should give its own back."""
        return bool(self._rules.memfree) and self._look().free * 2 < self._rules.memfree


def look(load: Path = _LOAD, memory: Path = _MEMORY) -> Machine:
    """Return how many processes run and how much memory is free.

    Not the average of a minute: it would let a hundred jobs start before it rises.
    """
    # "0.20 0.18 0.12 3/412 11206": 3 run, and one of them reads this.
    running = int(load.read_text().split()[3].partition("/")[0])
    return Machine(running=max(running - 1, 0), free=_available(memory.read_text()))


def _available(text: str) -> int:
    for line in text.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0
