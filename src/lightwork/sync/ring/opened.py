"""Opened: a ring as this process has it: its map, its bells, and how its locks are asked for."""

import contextlib
import mmap
import os
import weakref
from collections.abc import Sequence
from typing import Any, Final

from lightwork.sync.arena.arena import Arena
from lightwork.sync.ring.bell import Listener
from lightwork.sync.ring.layout import HEADER
from lightwork.sync.ring.ring import Ring

_FILES: Final = 2


class Opened:
    """One ring; its descriptors are closed with it.

    Args:
        arena: In which the last broker says its number.
        session: Of this process at the broker, by which the ring came; the caller's own.
        epoch: Of that broker.
        size: Of its data.
        descriptors: Of its memory, which putters lock, a file that getters lock, and two bells: for who waits for
            items, and for who waits for room or the end. Owned by this from now on.
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
        size: int,
        descriptors: Sequence[int],
        line: int,
    ) -> None:
        received = list(descriptors)
        self._closer = weakref.finalize(self, _close, received)
        self._closer.atexit = False
        self.session, self.epoch, self.line = session, epoch, line
        # Of what came: the map keeps a descriptor of its own, also in a forked child, which must not keep a lock.
        mapped = mmap.mmap(received[0], HEADER + size)
        for at in range(_FILES):
            # Opened anew: a lock of `flock` belongs to what has been opened, which the broker and others share.
            own = os.open(f"/proc/self/fd/{received[at]}", os.O_RDWR | os.O_CLOEXEC)
            os.close(received[at])
            received[at] = own
        self.put_lock, self.get_lock, self.items, self.progress = received
        # Not in core dumps: a page that nobody wrote to is looked at, too.
        mapped.madvise(mmap.MADV_DONTDUMP)
        with memoryview(mapped) as view:
            self.words = view[:HEADER].cast("Q")
        self.ring = Ring(self.words, mapped, size, lambda a, n: _remove(mapped, a, n))
        self.epoch_now = memoryview(arena.map_to(HEADER)).cast("Q")
        # Where nobody sleeps just now: one, as each has a descriptor.
        self.kept: list[Listener] = []

    def close(self) -> None:
        """Close its descriptors; for a forked child, in which nobody uses it."""
        self._closer()


def _close(descriptors: Sequence[int]) -> None:
    for one in descriptors:
        with contextlib.suppress(OSError):
            os.close(one)


def _remove(mapped: mmap.mmap, start: int, length: int) -> None:
    mapped.madvise(mmap.MADV_REMOVE, start, length)
