"""Run coroutine: a coroutine function as a plain call, where there is no loop to share."""

import asyncio
from collections.abc import Callable
from concurrent import futures
from contextvars import copy_context
from typing import Any


class _Run:
    """One run; keeps what it came to, because `asyncio.run` asks its task for its `repr`."""

    def __init__(self) -> None:
        self.value: Any = None
        self.error: BaseException | None = None

    async def run(
        self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        try:
            self.value = await fn(*args, **kwargs)
        except asyncio.CancelledError:
            raise  # Ctrl-C: asyncio makes it a KeyboardInterrupt.
        except BaseException as error:
            self.error = error


def run_to_end(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return what the coroutine function returns, whether or not a loop runs in this thread."""
    run = _Run()
    call = run.run(fn, args, kwargs)
    if _is_loop_running():
        with futures.ThreadPoolExecutor(1) as thread:
            thread.submit(copy_context().run, asyncio.run, call).result()
    else:
        asyncio.run(call)
    try:
        if run.error is not None:
            raise run.error
        return run.value
    finally:
        # The error's traceback holds this frame, which must hold neither it nor what it was given.
        del run, call, fn, args, kwargs


def _is_loop_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
