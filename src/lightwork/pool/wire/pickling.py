"""Pickling: how functions, arguments and results become bytes and back.

Plainly or by value: by_value/dumping.py. Used on both sides of a pool: `dump`, `dump_apart`
and `dump_arguments` for what goes to a child, `dump_answer` and `dump_result` for what it
sends back. By value these differ; see by_value/bindings.py.
"""

import pickle
from collections.abc import Callable, Sequence
from typing import Any, Final

from lightwork.by_value.dumping import IsPart, answer_by_value, dump_plain_first, send_by_value

_ByValue = Callable[[object, IsPart], bytes]
# Smaller buffers are copied into the pickle: to carry them by themselves costs more.
_APART_MIN: Final = 1 << 16
_CARRIED: Final = {bytes, bytearray}


def dump(value: object) -> bytes:
    """Return the value as bytes, for a child.

    Raises:
        Exception: Whatever the value's own pickling raised.
    """
    return dump_plain_first(value, send_by_value)


def dump_apart(value: object) -> tuple[bytes, Sequence[memoryview]]:
    """Return the value as bytes without its large buffers, and those, which still are the value's.

    Raises:
        Exception: Whatever the value's own pickling raised.
    """
    return _dump_apart(value, send_by_value)


def dump_arguments(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[bytes, Sequence[memoryview]]:
    """Do the same for what a call is given, its large bytes apart as well."""
    for value in (*args, *kwargs.values()) if kwargs else args:
        if type(value) in _CARRIED and len(value) >= _APART_MIN:
            return _dump_carried(args, kwargs)
    return dump_apart((args, kwargs))


def _dump_carried(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[bytes, Sequence[memoryview]]:
    data, apart = dump_apart(_carry_all(args, kwargs))
    for value in (*args, *kwargs.values()):
        # It is in there a second time: referred to by another argument, and in the call the
        # two must be one object. No other way tells, since pickle lets nobody replace them
        # everywhere; of bytes, which nobody can change, it does not matter.
        if type(value) is bytearray and _APART_MIN <= len(value) <= len(data) and value in data:
            return dump_apart((args, kwargs))
    return data, apart


def dump_answer(value: object) -> bytes:
    """Return the value as bytes, in a child for its pool.

    Raises:
        Exception: Whatever the value's own pickling raised.
    """
    return dump_plain_first(value, answer_by_value)


def dump_answer_apart(value: object) -> tuple[bytes, Sequence[memoryview]]:
    """Do the same without its large buffers, which still are the value's."""
    return _dump_apart(value, answer_by_value)


def dump_result(value: object) -> tuple[bytes, Sequence[memoryview]]:
    """Do the same for what a call returns, which may be large bytes itself."""
    return _dump_apart(_carried(value), answer_by_value)


def _dump_apart(value: object, by_value: _ByValue) -> tuple[bytes, Sequence[memoryview]]:
    found: list[pickle.PickleBuffer] = []
    try:
        data = pickle.dumps(value, 5, buffer_callback=found.append)
    except Exception:
        return _dump_carefully(value, by_value)
    if b"__main__" in data:
        return _dump_carefully(value, by_value)
    if not found:
        return data, ()
    apart = [_raw(buffer) for buffer in found]
    is_whole = all(raw is not None and raw.nbytes >= _APART_MIN for raw in apart)
    return (data, apart) if is_whole else _dump_carefully(value, by_value)  # type: ignore[return-value]


def _carried(value: Any) -> Any:
    is_large = type(value) in _CARRIED and len(value) >= _APART_MIN
    return _Carrier(value) if is_large else value


def _carry_all(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    # By object: what was given twice is one object there, too.
    known: dict[int, Any] = {}

    def carried(value: Any) -> Any:
        return known.setdefault(id(value), _carried(value))

    return tuple(map(carried, args)), {name: carried(value) for name, value in kwargs.items()}


class _Carrier:
    """Stands for bytes while they are pickled, which pickle itself never leaves out."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes | bytearray) -> None:
        self._value = value

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self._value), (pickle.PickleBuffer(self._value),)


def _raw(buffer: pickle.PickleBuffer) -> memoryview | None:
    try:
        return buffer.raw()
    except BufferError:
        return None  # In pieces itself: pickle will say so.


def _dump_carefully(value: object, by_value: _ByValue) -> tuple[bytes, Sequence[memoryview]]:
    """Do the same for values with small buffers, and with what a child cannot import."""
    apart: list[memoryview] = []

    def is_part(buffer: pickle.PickleBuffer) -> bool:
        raw = _raw(buffer)
        if raw is not None and raw.nbytes >= _APART_MIN:
            apart.append(raw)
            return False
        return True

    try:
        data = pickle.dumps(value, 5, buffer_callback=is_part)
        if b"__main__" not in data:
            return data, apart
    except Exception:  # noqa: S110 - tried again by value, which raises its own
        pass
    apart.clear()
    return by_value(value, is_part), apart


load: Callable[[Any], Any] = pickle.loads


def load_apart(pieces: Sequence[bytes | memoryview]) -> Any:
    """Return the value of a pickle and the buffers that were left out of it."""
    return pickle.loads(pieces[0], buffers=pieces[1:])
