"""Pickling: how functions, arguments and results become bytes and back.

Plain pickle first (about a microsecond). What lives in `__main__` or cannot be
named (lambdas, closures) goes by value with cloudpickle, so that a child never
has to import the main script again. Used on both sides of a pool.
"""

import pickle
from collections.abc import Callable
from typing import Any, Final

# Smaller buffers are copied into the pickle: to carry them by themselves costs more.
_APART_MIN: Final = 1 << 16


def dump(value: object) -> bytes:
    """Return the value as bytes.

    Raises:
        Exception: Whatever the value's own pickling raised.
    """
    try:
        data = pickle.dumps(value, 5)
    except Exception:
        return _dump_by_value(value)
    # A reference to `__main__` means another module in a child. The text may
    # appear by chance; then the slower way is merely slower.
    return _dump_by_value(value) if b"__main__" in data else data


def dump_apart(value: object) -> tuple[bytes, list[memoryview]]:
    """Return the value as bytes without its large buffers, and those, which still are the value's.

    Raises:
        Exception: Whatever the value's own pickling raised.
    """
    apart: list[memoryview] = []

    def is_part(buffer: pickle.PickleBuffer) -> bool:
        try:
            raw = buffer.raw()
        except BufferError:
            return True  # In pieces itself: pickle will say so.
        if raw.nbytes >= _APART_MIN:
            apart.append(raw)
        return raw.nbytes < _APART_MIN

    try:
        data = pickle.dumps(value, 5, buffer_callback=is_part)
        if b"__main__" not in data:
            return data, apart
    except Exception:  # noqa: S110 - tried again by value, which raises its own
        pass
    apart.clear()
    return _dump_by_value(value, is_part), apart


def _dump_by_value(
    value: object, is_part: Callable[[pickle.PickleBuffer], object] | None = None
) -> bytes:
    # 12 ms to import, and most programs never need it.
    import cloudpickle  # noqa: PLC0415 - see above

    return bytes(cloudpickle.dumps(value, 5, buffer_callback=is_part))


load: Callable[[Any], Any] = pickle.loads


def load_apart(pieces: list[memoryview]) -> Any:
    """Return the value of a pickle and the buffers that were left out of it."""
    return pickle.loads(pieces[0], buffers=pieces[1:])
