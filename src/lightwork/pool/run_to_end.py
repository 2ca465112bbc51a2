"""Run to end: a coroutine function as a plain call, where there is no loop to share."""

import asyncio
from collections.abc import Callable
from concurrent import futures
from contextvars import copy_context
from typing import Any


async def _call(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return await fn(*args, **kwargs)


def run_to_end(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return what the coroutine function returns, whether or not a loop runs in this thread."""
    call = _call(fn, args, kwargs)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(call)
    with futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_context().run, asyncio.run, call).result()
