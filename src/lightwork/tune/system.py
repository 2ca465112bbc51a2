"""System: what the kernel knows about this process and its children; 0 where it tells nothing."""

import os
import resource
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final, NamedTuple

_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Spent(NamedTuple):
    """What some work took.

    Attributes:
        seconds: How long it took.
        cpu: CPU time of all threads and processes that took part.
        waited: Share of the time in which somebody ready to run had no CPU.
    """

    seconds: float
    cpu: float
    waited: float


class Clock:
    """Measures from when it was made.

    Args:
        children: Processes that take part, and whose waits count; None: this thread's do.
    """

    def __init__(self, children: Collection[int] | None = None) -> None:
        self._children = children
        self._cpu, self._waited = self._cpu_time(), self._wait_time()
        self._started = time.perf_counter()

    @property
    def elapsed(self) -> float:
        """Seconds since then."""
        return max(time.perf_counter() - self._started, 1e-9)

    def read(self) -> Spent:
        """Return what was spent since then."""
        seconds = self.elapsed
        cpu, waited = self._cpu_time() - self._cpu, self._wait_time() - self._waited
        return Spent(seconds, cpu, min(waited / seconds / max(len(self._children or ()), 1), 1.0))

    def _cpu_time(self) -> float:
        # Of all threads here and of programs that were run and awaited; of others in ticks, 10 ms.
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        own = time.process_time() + ended.ru_utime + ended.ru_stime
        return own + sum(map(_cpu, self._children or ()))

    def _wait_time(self) -> float:
        return wait_of_thread() if self._children is None else sum(map(_waited, self._children))


def wait_of_thread() -> float:
    """Return the seconds in which this thread was ready to run and had no CPU."""
    return _waited("thread-self")


def private_memory(pid: int) -> int:
    """Return the bytes that only this process holds: what one more of it costs."""
    kilobytes = [
        int(line.split()[1])
        for line in _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines()
        if line.startswith("Private_")
    ]
    return sum(kilobytes) * 1024


def _cpu(pid: int) -> float:
    # The name, in parentheses, may hold anything, blanks too. Behind it: utime and
    # stime are the 12th and 13th, those of its ended children follow.
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def _waited(process: int | str) -> float:
    fields = _read(Path(f"/proc/{process}/schedstat")).split()
    return int(fields[1]) / 1e9 if len(fields) == 3 else 0.0


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # It has ended, or this kernel does not tell.
        return ""
