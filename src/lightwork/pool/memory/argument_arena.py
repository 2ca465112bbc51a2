"""Argument arena: memory of a pool in which large arguments reach any of its children.

One file for all children, which have it open for reading only. Arguments are
copied in once, by the thread that submits them, before it is known who runs the
call: taking a call back or running it elsewhere moves a few words.

Who owns what: a stretch is used as long as its Extent is referred to: by the
call until its end is decided, and by every link whose child was given it until
that child says that it has let go of it (large_value.py), or is dead. The child
never writes here and shares no table, so there is nothing that its death could
leave half-done.

Freeing must work in a finalizer, in any thread, in the middle of this file:
what is free is appended to `_loose`, and taken in by whoever has the lock next.
Such a finalizer may submit as well; it then finds the lock to be its own
thread's, and its arguments travel the slow way.

A write to the file happens outside the lock, and a closed descriptor's number
may soon be another file's. So the last writer closes.
"""

import os
from collections import deque
from collections.abc import Sequence

from lightwork.locks.owned_lock import OwnedLock
from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.pool.memory.free_list import FreeList
from lightwork.pool.memory.large_value import KEEP, Bulk, total_size, write_bulk


class Extent:
    """A stretch of an arena, used as long as this object lives."""

    __slots__ = ("_arena", "offset", "size")

    def __init__(self, arena: "Arena", offset: int, size: int) -> None:
        self._arena = arena
        self.offset = offset
        self.size = size

    def __del__(self) -> None:
        self._arena.let_go(self.offset, self.size)


class Arena:
    """The pool's side: allocates, writes, frees."""

    def __init__(self) -> None:
        self._fd = os.memfd_create("lightwork-arena", os.MFD_CLOEXEC)
        try:
            # For children; a second open file, since reading only belongs to that.
            self.child_fd = os.open(f"/proc/self/fd/{self._fd}", os.O_RDONLY | os.O_CLOEXEC)
        except BaseException:
            os.close(self._fd)
            raise
        # A fork has a copy of the tables, but the file is the same.
        self._pid = os.getpid()
        self._loose: deque[tuple[int, int]] = deque()
        # Objects that no reference stands for any more (wire/ref.py).
        self._dropped: deque[Extent] = deque()
        # Whether any was ever put here; else nobody need look for them.
        self.has_refs = False
        # Guards all that follows, and the descriptors.
        self._lock = OwnedLock()
        self._free = FreeList()
        # Beyond that the file holds nothing.
        self._size = 0
        # Offsets of extents that are being written to.
        self._written: set[int] = set()
        self._is_closed = False

    def put(self, pieces: Sequence[bytes | memoryview]) -> tuple[bytes, Extent] | None:
        """Copy a value in; return what says where it is, and what keeps it there.

        None: not now, since the arena is closed or this thread is at work in it.

        Raises:
            OSError: The system has no more memory.
        """
        sizes = tuple(len(piece) for piece in pieces)
        extent = self._take(total_size(sizes))
        if extent is None:
            return None
        try:
            bulk = Bulk(0, extent.offset, sizes)
            write_bulk(self._fd, bulk, pieces)
            return bulk.pack(), extent
        finally:
            with Uninterrupted(), self._lock:
                self._written.discard(extent.offset)
                self._close_unused()

    def let_go(self, offset: int, size: int) -> None:
        """Let a stretch be used again; never waits, for finalizers."""
        self._loose.append((offset, size))
        self._tidy_up()

    def drop(self, extent: Extent) -> None:
        """Tell children to forget a referenced object; never waits, for finalizers."""
        self._dropped.append(extent)
        del extent
        self._tidy_up()

    def close(self) -> None:
        """Give back the memory, as soon as nobody writes to it; idempotent."""
        with self._lock:
            self._is_closed = True
            self._close_unused()

    def _tidy_up(self) -> None:
        # Asked again: what another thread appended while we had the lock is ours to take in.
        while (self._loose or self._dropped) and not self._is_mine():
            with Uninterrupted():
                if not self._lock.acquire(blocking=False):
                    return
                try:
                    self._take_in()
                finally:
                    self._lock.release()

    def _take(self, size: int) -> Extent | None:
        if self._is_mine():
            return None
        with Uninterrupted(), self._lock:
            if self._is_closed:
                return None
            self._take_in()
            extent = Extent(self, self._free.take(size), size)
            self._size = max(self._size, self._free.end)
            self._written.add(extent.offset)
            return extent

    def _is_mine(self) -> bool:
        return self._lock.is_owned()

    def _take_in(self) -> None:
        is_ours = self._fd >= 0 and self._pid == os.getpid()
        while self._dropped:
            extent = self._dropped.popleft()
            if is_ours:
                # The flag is the last that lies there.
                os.pwrite(self._fd, b"\1", extent.offset + extent.size - 1)
            del extent
        while self._loose:
            offset, size = self._loose.popleft()
            # Its writer was interrupted before it could say so.
            self._written.discard(offset)
            self._free.give(offset, size)
        if is_ours and self._size > KEEP >= self._free.end:
            os.ftruncate(self._fd, KEEP)
            self._size = KEEP
        self._close_unused()

    def _close_unused(self) -> None:
        if self._is_closed and not self._written and self._fd >= 0:
            os.close(self._fd)
            os.close(self.child_fd)
            self._fd = self.child_fd = -1
