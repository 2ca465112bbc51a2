"""Shared mmap: memory files seen as memory, with as few descriptors as this Python allows."""

import mmap
import sys


def map_shared(fd: int, size: int) -> mmap.mmap:
    """Return the first bytes of a memory file; writes are seen by all who map it."""
    if sys.version_info >= (3, 13):
        # Else every map holds a copy of the descriptor, only to be able to resize itself.
        return mmap.mmap(fd, size, trackfd=False)
    return mmap.mmap(fd, size)
