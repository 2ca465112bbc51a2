"""Opened: a ring as this process has it: its map, its bells, and how its locks are asked for."""

import contextlib
import fcntl
import mmap
import os
import weakref
from collections.abc import Sequence
from typing import Any

from lightwork.sync.arena import ofd
from lightwork.sync.arena.arena import Arena
from lightwork.sync.ring.layout import HEADER, put_lock
from lightwork.sync.ring.ring import Ring


class Opened:
    """One ring; its descriptors are closed with it.

    Args:
        arena: In whose file the locks are.
        session: Of this process at the broker, by which the ring came; the caller's own.
        epoch: Of that broker.
        number: Of the ring.
        size: Of its data.
        descriptors: Of its memory, and two bells: for who waits for items, and for who waits for room or the
            end. Owned by this from now on; the first is closed.
        line: A socket whose end says that the broker has ended.

    Raises:
        OSError, ValueError: There is no room for the map.
    """

    def __init__(
        self,
        arena: Arena,
        session: Any,
        *,
        epoch: int,
        number: int,
        size: int,
        descriptors: Sequence[int],
        line: int,
    ) -> None:
        memory, self.items, self.progress = descriptors
        self._closer = weakref.finalize(self, _close, (self.items, self.progress))
        self._closer.atexit = False
        self.session, self.epoch, self.line = session, epoch, line
        try:
            mapped = mmap.mmap(memory, HEADER + size)
        finally:
            os.close(memory)
        # Not in core dumps: a page that nobody wrote to is looked at, too.
        mapped.madvise(mmap.MADV_DONTDUMP)
        with memoryview(mapped) as view:
            self.words = view[:HEADER].cast("Q")
        self.ring = Ring(self.words, mapped, size, lambda a, n: _remove(mapped, a, n))
        self.epoch_now = memoryview(arena.map_to(HEADER)).cast("Q")
        self.locks = arena.locks
        byte = put_lock(number)
        self.put_wanted = ofd.request(byte)
        self.put_unwanted = ofd.request(byte, fcntl.F_UNLCK)
        self.get_wanted = ofd.request(byte + 1)
        self.get_unwanted = ofd.request(byte + 1, fcntl.F_UNLCK)

    def close(self) -> None:
        """Close its descriptors; for a forked child, in which nobody uses it."""
        self._closer()


def _close(descriptors: Sequence[int]) -> None:
    for one in descriptors:
        with contextlib.suppress(OSError):
            os.close(one)


def _remove(mapped: mmap.mmap, start: int, length: int) -> None:
    mapped.madvise(mmap.MADV_REMOVE, start, length)
