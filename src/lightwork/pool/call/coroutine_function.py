"""Coroutine function: which functions make coroutines, and so run on an event loop. Pure.

What counts is the function that is finally called: below a task, below
functools.partial, or the `__call__` of an object. A plain function that returns
a coroutine is a plain function: nobody can know before it is called.

Asked for every call on threads, so `inspect`, which takes 5 us, is not asked
unless the function carries a mark that only it can read; nor imported, which takes 12 ms.
"""

import sys
from collections.abc import Callable
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, Final

from lightwork.callables import AnyTask
from lightwork.errors import UsageError

# Seconds that a cancelled coroutine has for its `finally`.
GRACE: Final = 1.0

_PLAIN: Final = frozenset({BuiltinFunctionType, type})
# As in `inspect`.
_CO_COROUTINE: Final = 0x80
_CO_ASYNC_GENERATOR: Final = 0x200


def is_coroutine_function(fn: Callable[..., Any]) -> bool:
    """Whether calls of the function run on an event loop.

    Raises:
        UsageError: It is an async generator function, which has no one result.
    """
    called: Any = fn if type(fn) is FunctionType else _find_called(fn)
    if type(called) is not FunctionType:
        return False
    flags = called.__code__.co_flags
    if flags & _CO_ASYNC_GENERATOR:
        raise UsageError(
            f"{called.__qualname__} is an async generator function, which yields many values and "
            "returns none: submit a coroutine function that collects them, such as "
            "`async def collect(): return [item async for item in items()]`"
        )
    if flags & _CO_COROUTINE:
        return True
    return bool(called.__dict__) and _is_marked(called)


def late_error(name: str, timeout: float) -> TimeoutError:
    """Return what a coroutine function fails with when its time is over."""
    return TimeoutError(f"{name} ran longer than its timeout of {timeout:g} s and was cancelled")


def _is_marked(fn: FunctionType) -> bool:
    """Whether inspect.markcoroutinefunction has marked it; whoever called that has imported it."""
    inspect = sys.modules.get("inspect")
    return inspect is not None and bool(inspect.iscoroutinefunction(fn))


def _find_called(fn: Any) -> Any:
    """Return the function that is called in the end; anything else stands for a plain one."""
    while (kind := type(fn)) is not FunctionType and kind not in _PLAIN:
        if isinstance(fn, AnyTask):
            fn = fn.fn
        elif isinstance(fn, partial):
            fn = fn.func
        elif kind is MethodType:
            fn = fn.__func__
        else:
            return getattr(kind, "__call__", None)  # noqa: B004 - the method, not whether there is one
    return fn
