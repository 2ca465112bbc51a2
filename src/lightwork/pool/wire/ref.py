"""Ref: an object that is put into a pool once and used by many calls.

    table = executor.put(large)
    executor.submit(look_up, table, key)          table.get() inside of look_up

A pool of processes pickles the object once, into its arena. A child maps that at
the first call that brings the reference, loads it at the first `get`, and remembers
it. What many calls share, none may change: arrays are read-only there.

How it is released: when the last Ref of the program is gone and the calls that
carry it are answered, the pool sets a flag behind the object in the arena. A
child looks at the flags of what it remembers before each packet, forgets what is
flagged, and says that it has let go when nothing looks at the mapping any more.
Until then, or until it is dead, its link keeps the memory (link/link.py). A child that never
looked says so too. So an idle child may keep an object until its next call.

Numbers of references and of calls come from one count: a link tells them apart no more
than it must.
"""

from typing import Final, Generic, TypeVar

T = TypeVar("T")

# What lies behind the object; not zero when the pool has dropped it.
FLAG: Final = bytes(8)

REFUSAL: Final = (
    "a Ref travels only in the arguments of a call to the executor that made it; "
    "seen elsewhere: in a function, a result, an initializer or another executor's call"
)


class Ref(Generic[T]):
    """Stands for an object that was put into an executor; made by `Executor.put`."""

    __module__ = "lightwork"

    __slots__ = ("__weakref__", "_value")

    def __init__(self, value: T) -> None:
        self._value = value

    def get(self) -> T:
        """Return the object; in a child it is loaded once, and not to be changed."""
        return self._value
