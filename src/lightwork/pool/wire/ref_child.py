"""Ref child: references as a child has them, and what it remembers. See ref.py.

Imports little: this is part of the fork server.
"""

import mmap
from collections.abc import Callable
from itertools import count
from typing import Any, NoReturn

from lightwork.pool.memory.large_value import Bulk, split, watch
from lightwork.pool.wire.pickling import load_apart
from lightwork.pool.wire.ref import FLAG, REFUSAL, Ref


class ChildRef(Ref[Any]):
    """The child's side."""

    __slots__ = ("_pieces",)

    def __init__(self, pieces: list[memoryview]) -> None:
        self._pieces = pieces

    def get(self) -> Any:
        """Return the object, which is not to be changed."""
        # Read once: a thread of the call may be at the same, and both may load it.
        if pieces := self._pieces:
            self._value = load_apart(pieces)
            self._pieces = []
        return self._value

    def __reduce__(self) -> NoReturn:
        raise TypeError(REFUSAL)


class RefCache:
    """The references that a child remembers."""

    def __init__(self, arena: int, let_go: Callable[[int], object]) -> None:
        self._arena = arena
        self._let_go = let_go
        self.known: dict[int, tuple[ChildRef, memoryview]] = {}
        # Every mapping that something looks at, and its reference.
        self._views: dict[int, int] = {}
        self._serials = count()

    def arrive(self, number: int, place: bytes) -> ChildRef:
        """Return the reference that a call has brought."""
        # Asked about after the call: by then it is looked at, or never will be.
        self._let_go(number)
        if number not in self.known:
            self.known[number] = self._map(number, Bulk.unpack(place))
        return self.known[number][0]

    def forget_dropped(self) -> None:
        """Forget what the pool has dropped."""
        for number, (_, flag) in list(self.known.items()):
            if flag != FLAG:
                del self.known[number]

    def is_looked_at(self, number: int) -> bool:
        """Whether something in this process looks at the object."""
        return number in list(self._views.values())

    def _map(self, number: int, bulk: Bulk) -> tuple[ChildRef, memoryview]:
        view = mmap.mmap(self._arena, bulk.size, access=mmap.ACCESS_READ, offset=bulk.offset)
        serial = next(self._serials)
        self._views[serial] = number

        def note_end() -> None:
            self._views.pop(serial)
            self._let_go(number)

        watch(view, note_end)
        *pieces, flag = split(memoryview(view), bulk.sizes)
        return ChildRef(pieces), flag


# The child's; a program has none. Set once, before the first call.
shelves: list[RefCache] = []


def arrive(number: int, place: bytes) -> ChildRef:
    """Load a reference."""
    return shelves[0].arrive(number, place)
