"""Carried: functions that a new process could not import, on their way to it by value.

The standard library sends a target by its name. A lambda or a function of a function has none that
can be imported, nor has any function of a program without a file (a notebook, `python -c`).
"""

import pickle
import sys
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from types import FunctionType
from typing import Any

from lightwork.by_value.dumping import send_by_value


def must_be_carried(fn: FunctionType) -> bool:
    """Whether no other process can find the function by its name."""
    if "<" in fn.__qualname__:
        return True
    main = sys.modules["__main__"]
    has_file = getattr(main, "__file__", None) or getattr(main, "__spec__", None)
    return fn.__module__ == "__main__" and not has_file


class CarriedFunction:
    """Stands for a function until it is where it runs."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        self._fn = fn

    def __reduce__(self) -> tuple[Callable[[bytes], Any], tuple[bytes]]:
        # What it captured may be a lock or a pipe, which travel now and at no other time.
        reducers = ForkingPickler._extra_reducers  # type: ignore[attr-defined]
        return pickle.loads, (send_by_value(self._fn, reducers=reducers),)
