"""Inputs: what a map is given, and whether all of it can be run without being asked for.

An input that has a length is copied at the call, by reference where it cannot
change: later changes of it do not matter, as in the standard library, and from then
on any thread may take from the copy. Such a map runs *whole*. An input without a
length (a generator, a cursor, a file) may be endless, and may be bound to its
thread: it stays *lazy*, and its items are taken by whoever reads the results.

A list or a range that runs whole is *sliced*. Part of a range is a range again, which travels as three
numbers: nobody makes the items but the child that runs them. Part of a list is made in a tenth of the time
that its iterator takes.
"""

import copy
import itertools
import sys
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Final, NamedTuple

# Nobody can change these.
_UNCHANGING: Final = frozenset({tuple, range, str, bytes, frozenset})
# Their own copy is cheaper than a list of their items.
_COPIED: Final = frozenset({list, dict, set, deque, array, bytearray})
_SLICED: Final = frozenset({list, range})


class Sliced(Iterable[Any]):
    """The items of a list or range that nobody changes, as they are taken."""

    def __init__(self, items: Sequence[Any]) -> None:
        self._items = items
        self._taken = 0

    def take(self, count: int) -> Sequence[Any]:
        """Take so many items, or what is left."""
        first, self._taken = self._taken, self._taken + count
        return self._items[first : self._taken]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items[self._taken :])


class Inputs(NamedTuple):
    """The items of a map.

    Attributes:
        items: Each a tuple of arguments (`is_star`), or the only argument.
        length: How many there are at most.
        is_whole: Whether all can be run without being asked for.
    """

    items: Iterator[Any] | Sliced
    length: int
    is_whole: bool
    is_star: bool


def take_inputs(iterables: Sequence[Iterable[Any]], *, is_lazy: bool) -> Inputs:
    """Return the zipped items, or those of the only input.

    Args:
        iterables: As the user gave them.
        is_lazy: Take nothing ahead, although there may be a length.
    """
    lengths = [length for one in iterables if (length := _length(one)) is not None]
    shortest = min(lengths, default=sys.maxsize)
    others = [one for one in iterables if _length(one) is None]
    is_whole = bool(lengths) and not is_lazy and all(map(_goes_on_by_itself, others))
    if is_whole:
        iterables = [_copy(one, shortest) for one in iterables]
        shortest = min(len(one) for one in iterables if isinstance(one, Sized))
    if len(iterables) != 1:
        return Inputs(zip(*iterables, strict=False), shortest, is_whole, is_star=True)
    items: Any = iterables[0]
    is_sliced = is_whole and type(items) in _SLICED
    return Inputs(Sliced(items) if is_sliced else iter(items), shortest, is_whole, is_star=False)


def take_calls(sources: Sequence[Iterable[Iterable[Any]]], *, is_lazy: bool) -> Inputs:
    """Return the tuples of arguments of the only source."""
    (calls,) = sources
    length = _length(calls)
    if length is None or is_lazy:
        length = sys.maxsize if length is None else length
        return Inputs(map(tuple, calls), length, is_whole=False, is_star=True)
    taken = list(map(tuple, calls))
    return Inputs(Sliced(taken), len(taken), is_whole=True, is_star=True)


def take_items(source: Iterator[Any] | Sliced, count: int) -> Sequence[Any]:
    """Take so many items, or what is left."""
    if isinstance(source, Sliced):
        return source.take(count)
    return list(itertools.islice(source, count))


def _length(items: Iterable[Any]) -> int | None:
    if not isinstance(items, Sized):
        return None
    try:
        return len(items)
    except TypeError:  # A wrapper, such as tqdm's, around something without a length.
        return None


def _goes_on_by_itself(items: Iterable[Any]) -> bool:
    # The usual companions of an input with a length: endless, and no code of the user.
    return type(items) in {itertools.repeat, itertools.count}


def _copy(items: Iterable[Any], length: int) -> Iterable[Any]:
    kind: Any = type(items)
    if kind in _UNCHANGING:
        return items
    if kind in _COPIED:
        return copy.copy(items)
    if _length(items) is None:
        return list(itertools.islice(items, length))
    if kind.__module__ == "numpy" and kind.__name__ == "ndarray":
        # A list of its items would take four times the memory.
        return copy.copy(items)
    return list(items)
