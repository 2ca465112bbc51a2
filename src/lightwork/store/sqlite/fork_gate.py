"""Fork gate: no thread of this process is inside SQLite while the process forks.

SQLite keeps two things per process that a fork copies and thereby falsifies: its
mutexes, which a copied lock nobody will ever release, and its notes on which locks
the process holds on each file, which a child does not inherit. A child that opened
the file again on the strength of such notes would hold no lock at all; the parent,
closing last as it thinks, would delete the WAL under it, with jobs that the child
was told are kept.

    thread uses SQLite   ── with gate ──▶  counted
    thread forks         ── shut ──▶  waits until nobody is inside, forks, opens again
    child                ── closes what it inherited, through SQLite, so that the notes are
                            true again: nothing is open

SQLite's close in the child leaves the parent alone, because in the gate no transaction
is open and the locks are the parent's. If somebody stays inside for longer than
PATIENCE, the fork goes ahead; then nothing can be closed in the child either, and
the inherited files can never be opened there (see `file.py`).

Not reentrant: whoever is inside and enters again would wait for a fork that waits for it.
"""

import contextlib
import os
import threading
from pathlib import Path
from typing import Final

from lightwork.locks.uninterrupted import Uninterrupted

PATIENCE: Final = 5.0


class ForkGate:
    """Many may be inside, or one may fork."""

    def __init__(self) -> None:
        self.forget()

    def __enter__(self) -> None:
        is_inside = False
        try:
            # A Ctrl-C in there could leave the lock taken, which everybody needs.
            with Uninterrupted(), self._changed:
                while self._is_shut:
                    self._changed.wait()
                self._inside += 1
                is_inside = True
        except BaseException:
            if is_inside:
                self.__exit__()
            raise

    def __exit__(self, *_error: object) -> None:
        with Uninterrupted(), self._changed:
            self._inside -= 1
            if self._is_shut:
                self._changed.notify_all()

    def shut(self, patience: float) -> bool:
        """Let nobody in; return whether all have left in so many seconds."""
        with self._changed:
            self._is_shut = True
            return self._changed.wait_for(lambda: not self._inside, patience)

    def open(self) -> None:
        """Let them in again."""
        with self._changed:
            self._is_shut = False
            self._changed.notify_all()

    def forget(self) -> None:
        """Begin anew in a forked child: the threads that were inside do not exist."""
        # Guards _inside and _is_shut.
        self._changed = threading.Condition(threading.Lock())
        self._inside = 0
        self._is_shut = False


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
