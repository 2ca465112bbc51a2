"""Kept: a ring in memory of the test's own, which kills or interrupts at any store, and a plain model of what must be in it."""

from collections import deque
from collections.abc import Callable
from typing import Final

from lightwork.sync.ring.layout import HEADER
from lightwork.sync.ring.ring import Ring

WORDS: Final = HEADER // 8


class Killed(BaseException):
    """The process is gone, at this very store."""


class Words(list[int]):
    """Words that count what is stored, and kill before the store whose number is `last`; `on_look` is called at each look."""

    last = -1
    stores = 0
    on_look: Callable[[int], None] | None = None

    def __setitem__(self, at: int, value: int) -> None:  # type: ignore[override]
        self.note()
        super().__setitem__(at, value)

    def __getitem__(self, at: int) -> int:  # type: ignore[override]
        if self.on_look is not None:
            self.on_look(at)
        return super().__getitem__(at)

    def note(self) -> None:
        if self.stores == self.last:
            raise Killed
        self.stores += 1


class Data(bytearray):
    """Bytes whose stores count as those of words."""

    words: Words

    def __setitem__(self, part: slice, data: bytes) -> None:  # type: ignore[override]
        self.words.note()
        assert isinstance(part.start, int)
        super().__setitem__(part, data)

    def __getitem__(self, part: slice) -> bytes:  # type: ignore[override]
        return bytes(super().__getitem__(part))

    def give_back(self, start: int, length: int) -> None:
        self[start : start + length] = bytes(length)


def ring_of(size: int) -> Ring:
    words = Words([0] * WORDS)
    data = Data(HEADER + size)
    data.words = words
    return Ring(words, data, size, data.give_back)


class Model:
    """What a queue is: what was put, in order, and what of it is not done."""

    def __init__(self) -> None:
        self.items: deque[bytes] = deque()
        self.unfinished = 0
        self.is_shut_down = False

    def seen(self) -> tuple[list[bytes], int, bool]:
        return [*self.items], self.unfinished, self.is_shut_down


def seen(ring: Ring) -> tuple[list[bytes], int, bool]:
    """Return what is in a ring, by its own words."""
    look = ring.look()
    rest = ring.rest()
    assert len(rest) == look.size
    return rest, look.unfinished, look.is_shut_down
