"""System: what the kernel knows about this process and its children; 0 where it tells nothing."""

import os
import resource
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")


def own_cpu() -> float:
    """Return the CPU time of all threads of this process and of programs that it ran and awaited."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def cpu_of(pids: Iterable[int]) -> float:
    """Return the CPU time of other processes, in steps of a clock tick (10 ms)."""
    return sum(map(_cpu, pids))


def wait_of_thread() -> float:
    """Return the seconds in which this thread was ready to run and had no CPU."""
    return _waited(Path("/proc/thread-self/schedstat"))


def wait_of(pids: Iterable[int]) -> float:
    """Return the same, summed over the main threads of other processes."""
    return sum(_waited(Path(f"/proc/{pid}/schedstat")) for pid in pids)


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


def _waited(path: Path) -> float:
    fields = _read(path).split()
    return int(fields[1]) / 1e9 if len(fields) == 3 else 0.0


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # It has ended, or this kernel does not tell.
        return ""
