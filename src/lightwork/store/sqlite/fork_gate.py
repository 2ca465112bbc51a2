"""Fork gate: no thread of this process is inside SQLite while the process forks.

SQLite keeps two things per process that a fork copies and thereby falsifies: its
mutexes, which a copied lock nobody will ever release, and its notes on which locks
the process holds on each file, which a child does not inherit. A child that opened
the file again on the strength of such notes would hold no lock at all; the parent,
closing last as it thinks, would delete the WAL under it, with jobs that the child
was told are kept.

    thread uses SQLite   ── inside ──▶  holds its lock
    thread forks         ── shut ──▶  waits until nobody is inside, forks, opens again
    child                ── closes what it inherited, through SQLite, so that the notes are
                            true again: nothing is open

SQLite's close in the child leaves the parent alone, because in the gate no transaction
is open and the locks are the parent's. If somebody stays inside for longer than
PATIENCE, the fork goes ahead; then nothing can be closed in the child either, and
the inherited files can never be opened there (see `file.py`).

Each thread has a lock of its own, which it holds while it is inside, and whoever forks takes them all. A
counter would be less, but a Ctrl-C at the first step of a method that counts down would leave it too high for
ever; what a lock itself does at the end of its block no Ctrl-C cuts off.
"""

import contextlib
import os
import threading
import weakref
from pathlib import Path
from typing import Any, Final

from lightwork.clock import monotonic
from lightwork.locks.uninterrupted import Uninterrupted

PATIENCE: Final = 5.0


class ForkGate:
    """Many may be inside, or one may fork."""

    def __init__(self) -> None:
        self.forget()

    def inside(self) -> contextlib.AbstractContextManager[Any]:
        """Return what a thread enters to be inside; it may do so again, as what the collector runs does."""
        lock = getattr(self._own, "lock", None)
        if lock is None:
            lock = threading.RLock()
            # Not while somebody forks.
            with self._registering:
                self._locks.add(lock)
            self._own.lock = lock
        return lock

    def shut(self, patience: float) -> bool:
        """Let nobody in; return whether all have left in so many seconds.

        Who is inside itself, and forks there, has not.
        """
        until = monotonic() + patience
        with Uninterrupted():
            self._registering.acquire()
            own = getattr(self._own, "lock", None)
            is_inside = own is not None and own._is_owned()
            locks = list(self._locks)
            for lock in locks:
                if lock.acquire(timeout=max(until - monotonic(), 0.0)):
                    self._taken.append(lock)
            return not is_inside and len(self._taken) == len(locks)

    def open(self) -> None:
        """Let them in again."""
        with Uninterrupted():
            while self._taken:
                self._taken.pop().release()
            self._registering.release()

    def forget(self) -> None:
        """Begin anew in a forked child: the threads that were inside do not exist."""
        self._own = threading.local()
        # Guards the next two; the collector may run what enters for the first time while it is held.
        self._registering = threading.RLock()
        self._locks: weakref.WeakSet[Any] = weakref.WeakSet()
        self._taken: list[Any] = []


def open_inodes() -> set[tuple[int, int]]:
    """Return device and inode of each file that this process has open."""
    return {identity for identity, _status in open_files()}


def open_files() -> list[tuple[tuple[int, int], os.stat_result]]:
    """Return device and inode of each descriptor of this process, and all that is known of it."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for entry in Path("/proc/self/fd").iterdir():
            # The descriptor of the listing itself is closed meanwhile.
            with contextlib.suppress(OSError):
                status = os.fstat(int(entry.name))
                found.append(((status.st_dev, status.st_ino), status))
    return found
