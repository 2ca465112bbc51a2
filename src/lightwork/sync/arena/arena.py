"""Arena: this process's end of the file: its map, its locks' description, its references.

One for each runtime folder, kept by the broker's client. The map and the references are of one description,
which forked children keep: it says that they use what their parent has. The locks are of another, which
they must not keep: see the header of the folder.
"""

import fcntl
import mmap
import os
import threading
import weakref
from collections.abc import Callable
from typing import Protocol

from lightwork.sync.arena import ofd
from lightwork.sync.arena.layout import ARENA, reference_of
from lightwork.sync.host import Place

# Asks the broker for the region of a place: its offset, and the length of its memory. Before it
# asks, it lets the arena know of the session.
Allot = Callable[[Place], tuple[int, int]]


class Forkable(Protocol):
    """What must be told that the locks of this process are gone: it is a forked child now, or has closed them."""

    def be_forked(self) -> None:
        """Forget what threads held, or were about to."""


class Arena:
    """The file in a runtime folder, as this process has it.

    Attributes:
        map: Of the whole file, as far as it was when it was last looked at.
        locks: Descriptor of the description that has this process's locks; -1: not open.
        held: The locks that a thread of this process has.
        forkables: What is to be told of a fork.
    """

    def __init__(self, folder: int) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._kept = -1
        self.map: mmap.mmap | None = None
        self.locks = -1
        self.held: set[object] = set()
        self.forkables: weakref.WeakSet[Forkable] = weakref.WeakSet()

    def refer(self, session: bytes) -> None:
        """Say, for as long as this process and its forked children live, that the session uses the arena."""
        with self._lock:
            if self._kept < 0:
                self._kept = self._open()
            if self.locks < 0:
                self.locks = self._open()
            ofd.try_lock(self._kept, ofd.request(reference_of(session), fcntl.F_RDLCK))

    def map_to(self, end: int) -> mmap.mmap:
        """Return a map that has the bytes before `end`, which were given out."""
        with self._lock:
            if self.map is None or len(self.map) < end:
                # The map before is closed by those who last use it.
                self.map = mmap.mmap(self._kept, os.fstat(self._kept).st_size)
            return self.map

    def _open(self) -> int:
        return os.open(ARENA, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._folder)

    def be_forked(self) -> None:
        """Close, in a forked child, what holds the parent's locks; runs before any other thread does.

        The map stays, and with it, for it has a descriptor of its own, the reference of the parent's session.
        """
        self._lock = threading.Lock()
        for number in (self.locks, self._kept):
            if number >= 0:
                os.close(number)
        self.locks = self._kept = -1
        self.held.clear()
        for forkable in list(self.forkables):
            forkable.be_forked()

    def close(self) -> None:
        """Let go of all locks; maps live as long as somebody reads them."""
        self.be_forked()
        self.map = None
