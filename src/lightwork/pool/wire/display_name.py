"""Display name: by which name people know what a call runs."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

F = TypeVar("F", bound=Callable[..., object])

_MARK: Final = "_lightwork_runs_first_argument"


def runs_first_argument(fn: F) -> F:
    """Mark a function that calls its first argument, whose name people know instead."""
    setattr(fn, _MARK, True)
    return fn


def name_of(fn: Any) -> str:
    """Return the qualified name of the function that is called in the end, in one line."""
    while isinstance(fn, partial):
        fn = fn.args[0] if hasattr(fn.func, _MARK) else fn.func
    return str(getattr(fn, "__qualname__", type(fn).__qualname__)).replace("\n", " ")
