"""Ref parent: references of the program to objects in the arena of a pool. See ref.py.

While arguments are pickled, the references met are collected, so that their
call can keep them. Anywhere else a reference refuses to be pickled: nobody
would keep the memory for whoever loads it.
"""

from collections.abc import Callable
from threading import get_ident
from typing import Any, NamedTuple, TypeVar

from lightwork.errors import UsageError
from lightwork.pool.memory.argument_arena import Arena, Extent
from lightwork.pool.wire.ref import REFUSAL, Ref
from lightwork.pool.wire.ref_child import arrive

T = TypeVar("T")


class ParentRef(Ref[T]):
    """The program's side, of an object that lies in the arena of a pool."""

    __slots__ = ("_arena", "extent", "number", "place")

    def __init__(
        self, value: T, number: int, place: bytes, *, arena: Arena, extent: Extent
    ) -> None:
        super().__init__(value)
        self.number = number
        self.place = place
        self.extent = extent
        self._arena = arena

    def __reduce__(self) -> tuple[Any, ...]:
        load = _loads.get(get_ident())
        if load is None or load.arena is not self._arena:
            raise UsageError(REFUSAL)
        load.refs.append(self)
        return arrive, (self.number, self.place)

    def __del__(self) -> None:
        self._arena.drop(self.extent)


class Load(NamedTuple):
    """The references met while arguments for a pool are pickled."""

    arena: Arena
    refs: list[ParentRef[Any]]


# By thread: what it is pickling now.
_loads: dict[int, Load] = {}


def collect_refs(arena: Arena, dump: Callable[[], T]) -> tuple[T, tuple[ParentRef[Any], ...]]:
    """Call `dump`, in which references of this arena may be pickled; return them too."""
    thread = get_ident()
    # A finalizer may submit while something is pickled.
    outer = _loads.get(thread)
    load = _loads[thread] = Load(arena, [])
    try:
        return dump(), tuple(load.refs)
    finally:
        if outer is None:
            del _loads[thread]
        else:
            _loads[thread] = outer
