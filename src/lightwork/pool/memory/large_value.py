"""Large value: a large value in shared memory, and the views through which it is read.

A value that is large when pickled (BULK_MIN) lies in a memory file, in pieces:
the pickle, then the buffers which it left out of band (pickle protocol 5), each
at a multiple of _STEP so that any number may lie there.

    offset                                      a multiple of the page size
      │ pickle ░│ buffer ░│ buffer │
                                               ░ filling up to _STEP

The writer copies each piece once, with pwrite: no page faults, no mapping to keep, the
GIL released. The reader copies nothing: it maps the stretch privately, so that
code which changes its arrays in place works, and changes only its own.
Measured for 100 MB: pwrite into warm pages 4.7 GB/s, into fresh ones 2.0; reading
through a fresh mapping 14 GB/s; copying to fresh memory 0.9 to 2.

A private mapping still shows what others write to pages that it has not changed.
So a stretch is used again only after the last object that looks at it is gone,
however long the user keeps it: the mapping is watched by a weak reference, which
says so (`let_go`). It is never said
- when the process has forked since: the fork may still look through its copy;
- when the reader dies: whoever owns the memory learns that from its death.

Each mapping holds a descriptor, so there are VIEWS_MAX of them at most; beyond,
or where the system refuses one, a value is copied into memory of the reader.
"""

import mmap
import os
import struct
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

# Above the inbox's and outbox's rings; below, the system calls cost more than the copy.
BULK_MIN: Final = 1 << 16
VIEWS_MAX: Final = 128
# Memory files keep so much for the next values; the rest goes back when it is free.
# More than a 100 MB array: with 64 MiB, its fresh pages cost a fifth of the speed.
KEEP: Final = 128 << 20
# Of a cache line, and of the widest number.
_STEP: Final = 64
# One system call moves at most about 2 GiB.
_CHUNK: Final = 1 << 30


class Bulk(NamedTuple):
    """Where a value lies; small enough to travel in its place."""

    # Given by the owner of the memory, who takes it back by this.
    token: int
    offset: int
    # Of the pickle, then of its buffers.
    sizes: tuple[int, ...]

    def pack(self) -> bytes:
        """Return this as bytes."""
        return struct.pack(f"<{2 + len(self.sizes)}Q", self.token, self.offset, *self.sizes)

    @staticmethod
    def unpack(data: bytes | memoryview) -> "Bulk":
        """Take it out of the bytes again."""
        token, offset, *sizes = struct.unpack(f"<{len(data) // 8}Q", data)
        return Bulk(token, offset, tuple(sizes))

    @property
    def size(self) -> int:
        """How many bytes it takes, filling included."""
        return total_size(self.sizes)


def total_size(sizes: Sequence[int]) -> int:
    """Return how many bytes pieces of these sizes take together."""
    return max(end for _, end in _places(sizes))


def _places(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    start = 0
    for size in sizes:
        yield start, start + size
        start = -(-(start + size) // _STEP) * _STEP


def write_bulk(fd: int, bulk: Bulk, pieces: Sequence[bytes | memoryview]) -> None:
    """Copy the pieces in.

    Raises:
        OSError: The system has no more memory.
    """
    for piece, (start, _) in zip(pieces, _places(bulk.sizes), strict=True):
        rest, offset = memoryview(piece), bulk.offset + start
        while rest:
            done = os.pwrite(fd, rest[:_CHUNK], offset)
            rest, offset = rest[done:], offset + done


def split(memory: memoryview, sizes: Sequence[int]) -> list[memoryview]:
    """Return the pieces: the pickle, then its buffers."""
    return [memory[start:end] for start, end in _places(sizes)]


def open_bulk(fd: int, bulk: Bulk, let_go: Callable[[], None]) -> memoryview:
    """Return the value's memory, for this process to read and to change.

    `let_go` is called when nothing looks at the shared memory any more, perhaps before
    this returns, in any thread, even by the garbage collector. It must not wait.
    """
    if len(_views) < VIEWS_MAX:
        try:
            view = mmap.mmap(fd, bulk.size, access=mmap.ACCESS_COPY, offset=bulk.offset)
        except OSError:
            # No descriptor left, or no mapping: there is another way.
            return _copy(fd, bulk, let_go)
        watch(view, let_go)
        return memoryview(view)
    return _copy(fd, bulk, let_go)


def _copy(fd: int, bulk: Bulk, let_go: Callable[[], None]) -> memoryview:
    try:
        memory = memoryview(bytearray(bulk.size))
        done = 0
        while done < bulk.size:
            done += os.preadv(fd, [memory[done : done + _CHUNK]], bulk.offset + done)
        return memory
    finally:
        let_go()


# Every mapping of this process that is looked at.
_views: set["weakref.ref[mmap.mmap]"] = set()
# Another object after each fork.
_since_fork = object()


def watch(view: mmap.mmap, let_go: Callable[[], None]) -> None:
    """Call `let_go` when nothing looks at the mapping any more, unless there was a fork."""
    since_fork = _since_fork

    def note_end(reference: "weakref.ref[mmap.mmap]") -> None:
        _views.discard(reference)
        if since_fork is _since_fork:
            let_go()

    _views.add(weakref.ref(view, note_end))


def _note_fork() -> None:
    global _since_fork  # noqa: PLW0603 - a fact about the process
    _since_fork = object()


os.register_at_fork(before=_note_fork)
