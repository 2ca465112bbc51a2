"""Dumping: the one way into pickling by value, for pools and stores alike.

Plain pickle first (about a microsecond). What lives in `__main__` or cannot be named
(lambdas, closures) goes by value, so that nobody has to import the main script again.
"""

import pickle
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

IsPart = Callable[[pickle.PickleBuffer], object]
ByValue = Callable[[object], bytes]


def dump_plain_first(
    value: object, by_value: ByValue, dumps: Callable[[object, int], bytes] = pickle.dumps
) -> bytes:
    """Return the value as bytes, by value if it has to be.

    Args:
        value: Anything.
        by_value: One of the three below.
        dumps: Pickles plainly.

    Raises:
        Exception: Whatever the value's own pickling raised.
    """
    try:
        data = dumps(value, 5)
    except Exception:
        return by_value(value)
    # A reference to `__main__` means another module elsewhere. The text may
    # appear by chance; then the slower way is merely slower.
    return by_value(value) if b"__main__" in data else data


def send_by_value(
    value: object,
    is_part: IsPart | None = None,
    reducers: Mapping[type, Callable[[Any], Any]] | None = None,
) -> bytes:
    """Return the value as bytes by value, for a child of this process; see cloudpickling.py."""
    data: bytes = _cloudpickling().dump_for_child(value, is_part, reducers)
    return data


def answer_by_value(value: object, is_part: IsPart | None = None) -> bytes:
    """Do the same in a child, for the process that it belongs to."""
    data: bytes = _cloudpickling().dump_answer(value, is_part)
    return data


def store_by_value(value: object) -> bytes:
    """Do the same for a store."""
    data: bytes = _cloudpickling().dump_for_store(value)
    return data


def _cloudpickling() -> ModuleType:
    # 12 ms to import, and most programs never need it.
    from lightwork.by_value import cloudpickling  # noqa: PLC0415 - see above

    return cloudpickling
