"""Inchild: what runs in the workers of a measured pool, beside the function itself.

Children import this file before anything is measured: it imports almost nothing, or
their start and their memory would be ours and not the function's.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any


def spread(fn: Callable[..., Any], args: Sequence[Any]) -> Any:
    """Call a function with a list of arguments; a partial of this travels to children."""
    return fn(*args)


async def spread_async(fn: Callable[..., Any], args: Sequence[Any]) -> Any:
    """Do the same with a coroutine function."""
    return await fn(*args)


def answer(fn: Callable[..., Any], hold: float, *items: object) -> tuple[int, int]:
    """Say which thread of which process runs this, after so many seconds.

    The function comes along so that its module is imported, and is called with the items:
    if that fails, it fails in the trial, too, which tells on which line.
    """
    time.sleep(hold)
    for item in items:
        with contextlib.suppress(Exception, SystemExit):
            fn(item)
    return os.getpid(), threading.get_ident()
