"""Clock: the only source of local time.

Two clocks exist and are never mixed. The *database* clock orders jobs and ends
leases; it is read in SQL, never here (a SQLite file has none of its own and borrows
`boot_id`, `uptime` and `wall`: see store/sqlite/clock.py). The *local* clock below measures
durations inside one process: how long a call ran, how long a lease may still
be trusted. It must not stop while the machine sleeps, or a worker on a
suspended laptop would trust a lease that the database has long ended; hence
CLOCK_BOOTTIME where the system has it.

By it, too, is said when a call to a store must have ended (`call_by`): whoever waits for a lock with a time-out
tells that to whatever lies between, without an argument of each method.
"""

import time
from _thread import get_ident
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_OFFSETS: Final = Path("/proc/self/timens_offsets")

if hasattr(time, "CLOCK_BOOTTIME"):

    def monotonic() -> float:
        """Return seconds of a clock that never steps back and counts suspension."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    _nanoseconds: Callable[[], int] = partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)
else:
    monotonic = time.monotonic
    _nanoseconds = time.monotonic_ns

# Nanoseconds of the same clock, by no line of Python: where that is called by C, such as a
# database in the middle of a statement, a Ctrl-C that came meanwhile would be lost.
nanoseconds: Final = _nanoseconds


_NEVER: Final = float("inf")
# With the thread that it is said for: some Pythons let new threads inherit it.
_call_ends: ContextVar[tuple[int, float]] = ContextVar("lightwork_call_ends", default=(0, _NEVER))


def call_by(end: float, call: Callable[[], T]) -> T:
    """Call; what asks a store in it gives up with StoreUnavailable when `monotonic()` is at `end`.

    Not a `with`: a Ctrl-C at the end of one would leave the time set for all that follows.
    """
    return copy_context().run(_call_by, end, call)


def _call_by(end: float, call: Callable[[], T]) -> T:
    _call_ends.set((get_ident(), min(end, _call_ends_at())))
    return call()


def call_seconds_left() -> float:
    """Return how long the call that is under way may take from now on; infinite: as long as it takes."""
    end = _call_ends_at()
    return end if end == _NEVER else max(end - monotonic(), 0.0)


def _call_ends_at() -> float:
    thread, end = _call_ends.get()
    return end if thread == get_ident() else _NEVER


def boot_id() -> str:
    """Return what this boot of the machine is called; "": the system does not say."""
    return _read(_BOOT_ID)


def uptime() -> int:
    """Return milliseconds since the machine's boot, the same in all of its processes."""
    return nanoseconds() // 1_000_000 - offset_of_namespace


def wall() -> int:
    """Return milliseconds since 1970 UTC by a clock that anybody may set at any time."""
    return time.time_ns() // 1_000_000


def _offset() -> int:
    for line in _read(_OFFSETS).splitlines():
        name, seconds, nanoseconds = line.split()
        if name == "boottime":
            return int(seconds) * 1000 + int(nanoseconds) // 1_000_000
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


# A container may have a time namespace, whose clock starts elsewhere; milliseconds.
offset_of_namespace: Final = _offset()
