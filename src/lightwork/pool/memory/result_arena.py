"""Result arena: memory of one child in which its large results wait for the pool.

The child allocates and writes, the pool only reads; the child learns from words
of the control block what the pool has let go of.

    child   puts a result on a free place of its arena, number `slot`
            and sends where it is as an ordinary frame     token = slot + SLOTS * n
    pool    maps it; when nothing looks at it any more     words[LET_GO + slot] = token
    child   finds the token that it gave: the place is free again

One writer per word and a new token each time: neither order nor loss of other
words matters. A child that is killed takes its tables with it; the pool drops the
file with its link, and results that the user keeps are mapped and stay. A result
that was being written has no frame and is nobody's.

No more than SLOTS results wait; where all are kept, results take the pipe.

What lies beyond KEEP goes back to the system at once, by the pool: an idle child
would not do it. The pool does so before it lets go, while the stretch is its own.
"""

import contextlib
import mmap
from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

from lightwork.pool.memory.control_block import LET_GO, SLOTS
from lightwork.pool.memory.free_list import FreeList
from lightwork.pool.memory.large_value import KEEP, Bulk, open_bulk, split, total_size, write_bulk

# Smaller results are copied by the pool: a mapping would not pay, and there are few.
_COPY_MAX: Final = 1 << 20
_PAGE: Final = mmap.ALLOCATIONGRANULARITY


class ResultArena:
    """The child's side: allocates and writes."""

    def __init__(self, fd: int, words: memoryview) -> None:
        self._fd = fd
        self._words = words
        self._free = FreeList()
        self._tokens = list(range(SLOTS))
        self._used: dict[int, tuple[int, int]] = {}

    def put(self, pieces: Sequence[bytes | memoryview]) -> bytes | None:
        """Copy a result in and return what says where it is; None when no place is free.

        Raises:
            OSError: The system has no more memory.
        """
        self._take_in()
        slot = next((slot for slot in range(SLOTS) if slot not in self._used), -1)
        if slot < 0:
            return None
        sizes = tuple(len(piece) for piece in pieces)
        size = total_size(sizes)
        # Never zero, which every word is at first.
        self._tokens[slot] += SLOTS
        bulk = Bulk(self._tokens[slot], self._free.take(size), sizes)
        try:
            write_bulk(self._fd, bulk, pieces)
        except BaseException:
            self._free.give(bulk.offset, size)
            raise
        self._used[slot] = bulk.offset, size
        return bulk.pack()

    def _take_in(self) -> None:
        for slot, place in list(self._used.items()):
            if self._words[LET_GO + slot] == self._tokens[slot]:
                del self._used[slot]
                self._free.give(*place)


class Delivery(NamedTuple):
    """A large result that has arrived and is not loaded yet."""

    memory: memoryview
    sizes: tuple[int, ...]

    def pieces(self) -> list[memoryview]:
        """Return the pickle and its buffers; the memory is theirs."""
        is_small = len(self.memory) <= _COPY_MAX
        return split(memoryview(bytearray(self.memory)) if is_small else self.memory, self.sizes)


class ResultArenaReader:
    """The pool's side: reads and lets go."""

    def __init__(self, fd: int, words: memoryview) -> None:
        self._fd = fd
        self._words = words
        # All of the file, to give pages back; it costs none.
        self._map: mmap.mmap | None = None

    def open(self, body: bytes) -> Delivery | BaseException:
        """Return a result, valid even when the child and this are gone, or why it cannot be had."""
        bulk = Bulk.unpack(body)
        end = bulk.offset + bulk.size
        if end > KEEP and (self._map is None or len(self._map) < end):
            # Where even addresses are scarce, pages go back later: when the child ends.
            with contextlib.suppress(OSError):
                self._map = mmap.mmap(self._fd, 0)
        try:
            memory = open_bulk(self._fd, bulk, partial(self._let_go, bulk))
        except (OSError, MemoryError) as error:
            # There is no memory for this result: its call's misfortune, not the pool's.
            return error
        return Delivery(memory, bulk.sizes)

    def close(self) -> None:
        """Release what this holds; the words are the control block's."""
        if self._map is not None:
            self._map.close()

    def _let_go(self, bulk: Bulk) -> None:
        # Either may be closed, when a result outlived its child: then there is nothing to say.
        with contextlib.suppress(ValueError):
            self._give_back(max(bulk.offset, KEEP), bulk.offset + bulk.size)
        with contextlib.suppress(ValueError):
            self._words[LET_GO + bulk.token % SLOTS] = bulk.token

    def _give_back(self, start: int, end: int) -> None:
        if start < end and self._map is not None:
            size = -(-(end - start) // _PAGE) * _PAGE
            self._map.madvise(mmap.MADV_REMOVE, start, min(size, len(self._map) - start))
