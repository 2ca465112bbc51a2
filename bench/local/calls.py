"""Calls: the functions that children run, importable everywhere, and what they are given.

Imports as little as it can: children of every side import this module.
"""

from __future__ import annotations

import operator
import os
import pickle
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, SupportsIndex

# As little work as there is; not from this module, so nothing has to be imported.
no_op = operator.pos

SHORT = 0.001
LONG = 1.0
# One call of so many is long.
LONG_EVERY = 20


class Array:
    """Bytes that can travel out of band, as a numpy array's do."""

    def __init__(self, memory: Any) -> None:
        self.memory = memoryview(memory)

    def __getitem__(self, key: slice) -> memoryview:
        return self.memory[key]

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        # Like those below protocol 5, which multiprocessing does not use.
        out = pickle.PickleBuffer(self.memory) if int(protocol) >= 5 else bytes(self.memory)
        return Array, (out,)


def look_at(array: Any) -> int:
    """Read a byte of every page."""
    return sum(array[::4096].tolist())


def give_back(array: Any) -> Any:
    return array


def rest(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def mixed(number: int) -> float:
    """Take a millisecond or, evenly spread, a second; return how long it is meant to be."""
    return rest(LONG if number % LONG_EVERY == LONG_EVERY // 2 else SHORT)


def say_pid(_: int) -> int:
    """Say who runs this, slowly, so that the next one runs elsewhere."""
    time.sleep(0.02)
    return os.getpid()


def run_chunk(fn: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    return [fn(item) for item in items]
