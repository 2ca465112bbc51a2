"""Rings: the broker's end of a queue whose items lie in memory that its users share.

The broker makes it and hands it out, rings its bells when one of its users has died, and takes over what is in it when it was
moved. It never puts, gets or locks: nobody could make it wait.
"""

import mmap
import os
from dataclasses import replace
from typing import Final

from lightwork.machines.queue import QueueState, filled
from lightwork.machines.shapes import Cells
from lightwork.sync.ring.layout import EMPTIED, FLAGS, HEADER, MODE, SIZE
from lightwork.sync.ring.ring import Ring

_WORD: Final = 8


class SharedRing:
    """One of them, as long as its queue lives there.

    Attributes:
        descriptors: Of its memory, a second file for its second lock, and its two bells.

    Raises:
        OSError: There is no room for it.
    """

    def __init__(self) -> None:
        self.descriptors: list[int] = []
        try:
            for name in ("lightwork-ring", "lightwork-ring-get"):
                self.descriptors.append(os.memfd_create(name, os.MFD_CLOEXEC))
            os.ftruncate(self.descriptors[0], HEADER + SIZE)
            for _ in range(2):
                self.descriptors.append(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))
        except BaseException:
            self.close()
            raise

    @property
    def is_moved(self) -> bool:
        """Whether its users have left it."""
        word = os.pread(self.descriptors[0], _WORD, _WORD * MODE)
        return bool(int.from_bytes(word, "little"))

    def ring(self) -> None:
        """Wake who waits: one may have died who should have."""
        for bell in self.descriptors[2:]:
            os.eventfd_write(bell, 1)

    def take_over(self, state: QueueState, cells: Cells) -> QueueState:
        """Return the state of a machine that has all that is in it, and close it."""
        with (
            mmap.mmap(self.descriptors[0], HEADER + SIZE, prot=mmap.PROT_READ) as mapped,
            memoryview(mapped) as view,
            view[:HEADER] as header,
            header.cast("Q") as words,
        ):
            after = _filled(Ring(words, mapped, SIZE, _keep), state, cells)
        self.close()
        return after

    def close(self) -> None:
        """Close it; users keep theirs."""
        while self.descriptors:
            os.close(self.descriptors.pop())


def _keep(_start: int, _length: int) -> None:
    """Give nothing back: all of it is closed soon."""


def _filled(ring: Ring, state: QueueState, cells: Cells) -> QueueState:
    _, puts = ring.put_state()
    seen, contents = ring.look(), ring.rest()
    after = filled(state, cells, contents, puts - len(contents))
    return replace(
        after,
        unfinished=seen.unfinished,
        is_shut_down=seen.is_shut_down,
        is_emptied=bool(ring.words[FLAGS] & EMPTIED),
    )
