"""Inbox: memory through which the bodies of packets reach a child.

The pool owns the allocation, the child only reads: nothing is shared that a
dying child could leave half-changed. The memory is an anonymous file (no
/dev/shm, which is 64 MB in containers), grown on demand and reused, because
fresh pages cost more than the copy into them.

    offset 0          ring       bodies up to RING_BODY_MAX, in the order of sending
           RING_SIZE  extents    larger ones, first fit; the first is the setup

A child answers its calls in the order in which it was given them, and only the
last ones are ever taken back. So the used part of the ring is one stretch from
`tail` to `head`, positions that only grow: an answer moves the tail on, taking
back moves the head back. Where the ring is full, the extents have to do.
"""

import mmap
import os
from typing import Final

from lightwork.pool.memory.free_list import FreeList
from lightwork.pool.memory.shared_mmap import map_shared

RING_SIZE: Final = 1 << 18
RING_BODY_MAX: Final = 1 << 15
_FIRST_SIZE: Final = 1 << 20
# Extents that grew beyond this give their memory back when none is in use.
_KEEP: Final = 64 << 20


def make_inbox() -> int:
    """Return a descriptor of an empty inbox."""
    return os.memfd_create("lightwork-inbox", os.MFD_CLOEXEC)


class Inbox:
    """The pool's side: allocates, writes, frees."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._map: mmap.mmap | None = None
        self._size = 0
        # Where the next body goes, and the oldest one that is still needed.
        self.head = 0
        self._tail = 0
        # From RING_SIZE on; and the sizes of extents that are used.
        self._extents = FreeList()
        self._sizes: dict[int, int] = {}

    def put(self, body: bytes) -> int:
        """Copy the body in and return its offset.

        Raises:
            OSError: The system has no more memory.
        """
        size = len(body)
        offset = self._find_in_ring(size) if size <= RING_BODY_MAX else -1
        if offset < 0:
            return self.put_extent(body)
        self._grow(RING_SIZE)
        assert self._map is not None
        self._map[offset : offset + size] = body
        return offset

    def put_extent(self, body: bytes) -> int:
        """Copy the body in, to stay until it is freed, and return its offset."""
        size = len(body)
        offset = RING_SIZE + self._extents.take(size)
        self._sizes[offset] = size
        try:
            self._grow(offset + size)
        except BaseException:
            self.free(offset)
            raise
        assert self._map is not None
        self._map[offset : offset + size] = body
        return offset

    def free(self, offset: int) -> None:
        """Let an extent be used again; what lies in the ring goes by `advance`."""
        size = self._sizes.pop(offset, 0)
        if not size:
            return
        self._extents.give(offset - RING_SIZE, size)
        if not self._sizes and self._size > _KEEP and self._map is not None:
            self._map.madvise(mmap.MADV_REMOVE, RING_SIZE)

    def advance(self, position: int) -> None:
        """Let the ring be used again up to this position."""
        self._tail = max(self._tail, position)

    def rewind(self, position: int) -> None:
        """Let the ring be used again from this position on: the child will not read it."""
        self.head = max(self._tail, position)

    def restart(self) -> None:
        """Use the first pages again, which are warm, if the ring is empty."""
        if self.head == self._tail:
            self.head = self._tail = 0

    def close(self) -> None:
        """Release the memory of this side."""
        if self._map is not None:
            self._map.close()
            self._map = None
        os.close(self._fd)

    def _find_in_ring(self, size: int) -> int:
        start = self.head % RING_SIZE
        # A body lies in one piece.
        skipped = RING_SIZE - start if start + size > RING_SIZE else 0
        if self.head + skipped + size - self._tail > RING_SIZE:
            return -1
        self.head += skipped + size
        return 0 if skipped else start

    def _grow(self, needed: int) -> None:
        if needed <= self._size:
            return
        size = max(needed, 2 * self._size, _FIRST_SIZE)
        os.ftruncate(self._fd, size)
        grown = map_shared(self._fd, size)
        if self._map is not None:
            self._map.close()
        self._map, self._size = grown, size


class InboxReader:
    """The child's side: reads what a packet points to."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._map: mmap.mmap | None = None

    def read(self, offset: int, size: int) -> memoryview:
        """Return the body; valid until the call that it belongs to has been answered."""
        if self._map is None or offset + size > len(self._map):
            # The old map stays alive as long as a view of it does.
            self._map = mmap.mmap(self._fd, 0, prot=mmap.PROT_READ)
        return memoryview(self._map)[offset : offset + size]
