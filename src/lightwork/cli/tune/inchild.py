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


class Spread:
    """A function called with a list of arguments; travels by reference to the function."""

    __slots__ = ("fn",)

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.fn = fn

    def __call__(self, args: Sequence[Any]) -> Any:
        """Call the function."""
        return self.fn(*args)


class SpreadAsync(Spread):
    """The same for a coroutine function."""

    __slots__ = ()

    async def __call__(self, args: Sequence[Any]) -> Any:
        """Call the function."""
        return await self.fn(*args)


def answer(_fn: Callable[..., Any], hold: float) -> tuple[int, int]:
    """Say which thread of which process runs this, after so many seconds.

    The function comes along so that its module is imported.
    """
    time.sleep(hold)
    return os.getpid(), threading.get_ident()


def try_once(fn: Callable[..., Any], item: object) -> None:
    """Call the function; if that fails, the trial will tell on which line."""
    with contextlib.suppress(Exception):
        fn(item)
