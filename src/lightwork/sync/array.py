"""Array: numbers in a row that many read and write, at every reach."""

import ctypes
from collections.abc import Iterable, Iterator
from typing import Any, overload

from lightwork.sync.host import Host
from lightwork.sync.value import Guarded, type_of


class Array(Guarded):
    """An array as `multiprocessing.Array`, of a fixed length.

    One read or one write, of an item or of a slice in one piece, is whole; see `Value` for what takes more. In a
    store it is one row: each write writes all of it, so it is for what is small.

    Args:
        typecode: "i", "d" and so on, as in `array`, or a simple class of `ctypes`.
        size_or_initial: How many, all zero; or what they are at first.
        lock: True: a lock of its own, which writes take; a lock; or False: none.
        name: Found under it from everywhere; "": unnamed, found by whoever gets this object.
        where: "threads", "processes", or the URL of a store or server; see `open_host`.

    Raises:
        ValueError: The size is negative.
    """

    __module__ = "lightwork"

    def __init__(
        self,
        typecode: "str | type[Any]",
        size_or_initial: int | Iterable[Any],
        *,
        lock: object = True,
        name: str = "",
        where: str | Host = "processes",
    ) -> None:
        self._type = type_of(typecode)
        items = _items_of(size_or_initial)
        self._length = len(items) if isinstance(items, list) else items
        row = (self._type * self._length)(*(items if isinstance(items, list) else ()))
        self._open(where, "value", name, (bytes(row),))
        self._guard(lock)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, at: int) -> Any: ...
    @overload
    def __getitem__(self, at: slice) -> Any: ...
    def __getitem__(self, at: int | slice) -> Any:
        if isinstance(at, slice):
            return self._read()[at]
        start = self._start_of(at)
        data = self._memory.read(start, start + ctypes.sizeof(self._type))
        return self._type.from_buffer_copy(data).value

    def __setitem__(self, at: int | slice, new: Any) -> None:
        if not isinstance(at, slice):
            self._write(self._start_of(at), bytes(self._type(new)))
            return
        places, items = range(self._length)[at], list(new)
        if len(items) != len(places):
            raise ValueError(f"a slice of {len(places)} items is written with {len(items)}")
        if places.step == 1:
            self._write_row(places.start, items)
            return
        for place, item in zip(places, items, strict=True):
            self._write(self._start_of(place), bytes(self._type(item)))

    def __iter__(self) -> Iterator[Any]:
        return iter(self._read()[:])

    @property
    def value(self) -> Any:
        """Of characters: the text up to the first NUL; AttributeError for others."""
        return self._read().value

    @value.setter
    def value(self, new: Any) -> None:
        row = self._row()
        row.value = new
        self._write(0, bytes(row))

    @property
    def raw(self) -> bytes:
        """Of "c": all its bytes; AttributeError for others."""
        raw: bytes = self._read().raw
        return raw

    @raw.setter
    def raw(self, new: bytes) -> None:
        row = self._row()
        row.raw = new
        self._write(0, bytes(row))

    def compare_and_set(self, at: int, expected: Any, new: Any) -> bool:
        """Make the item `new` if it is `expected`, in one step; return whether it was."""
        start = self._start_of(at)
        return self._swap(start, bytes(self._type(expected)), bytes(self._type(new)))

    def _whole_type(self) -> type[Any]:
        whole: type[Any] = self._type * self._length
        return whole

    def _row(self) -> Any:
        return self._whole_type()()

    def _read(self) -> Any:
        size = self._length * ctypes.sizeof(self._type)
        return (self._type * self._length).from_buffer_copy(self._memory.read(0, size))

    def _write_row(self, start: int, items: list[Any]) -> None:
        self._write(start * ctypes.sizeof(self._type), bytes((self._type * len(items))(*items)))

    def _start_of(self, at: int) -> int:
        if not -self._length <= at < self._length:
            raise IndexError("array index out of range")
        return (at % self._length) * ctypes.sizeof(self._type)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "length": self._length}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._length = state["length"]
        super().__setstate__(state)

    def __repr__(self) -> str:
        return self._shown(repr(list(self)))


def _items_of(size_or_initial: int | Iterable[Any]) -> list[Any] | int:
    if not isinstance(size_or_initial, int):
        return list(size_or_initial)
    if size_or_initial < 0:
        raise ValueError(f"an array has no negative size: {size_or_initial}")
    return size_or_initial
