"""Coroutine: which functions make coroutines, and so run on an event loop. Pure.

What counts is the function that is finally called: below a task, below
functools.partial, or the `__call__` of an object. A plain function that returns
a coroutine is a plain function: nobody can know before it is called.

Asked for every call on threads, so `inspect`, which takes 5 us, is not asked
unless the function carries a mark that only it can read.
"""

import inspect
from collections.abc import Callable
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, Final

from lightwork.errors import UsageError
from lightwork.tasks import Task

_PLAIN: Final = frozenset({BuiltinFunctionType, type})


def is_coroutine_function(fn: Callable[..., Any]) -> bool:
    """Whether calls of the function run on an event loop.

    Raises:
        UsageError: It is an async generator function, which has no one result.
    """
    called: Any = fn if type(fn) is FunctionType else _find_called(fn)
    if type(called) is not FunctionType:
        return False
    flags = called.__code__.co_flags
    if flags & inspect.CO_ASYNC_GENERATOR:
        raise UsageError(
            f"{called.__qualname__} is an async generator function, which yields many values and "
            "returns none: submit a coroutine function that collects them, such as "
            "`async def collect(): return [item async for item in items()]`"
        )
    if flags & inspect.CO_COROUTINE:
        return True
    # Perhaps marked by inspect.markcoroutinefunction.
    return bool(called.__dict__) and inspect.iscoroutinefunction(called)


def _find_called(fn: Any) -> Any:
    """Return the function that is called in the end; anything else stands for a plain one."""
    while (kind := type(fn)) is not FunctionType and kind not in _PLAIN:
        if isinstance(fn, Task):
            fn = fn.fn
        elif isinstance(fn, partial):
            fn = fn.func
        elif kind is MethodType:
            fn = fn.__func__
        else:
            return getattr(kind, "__call__", None)  # noqa: B004 - the method, not whether there is one
    return fn
