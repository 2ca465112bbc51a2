"""Machine: what it does at the moment, as Linux tells it."""

from pathlib import Path
from typing import Final

from lightwork.cli.parallel.gate import Machine

_LOAD: Final = Path("/proc/loadavg")
_MEMORY: Final = Path("/proc/meminfo")


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
