"""Holding: who has something of a primitive and how many wait there, whatever its kind, for people to look at."""

import itertools
from collections.abc import Iterator
from typing import Any, Final

from lightwork.machines.shapes import Caller

# What states call those who hold something, and those who wait.
_HOLDING: Final = ("holder", "held", "given", "acting")
_WAITING: Final = ("waiting", "getters", "putters", "joiners", "line")


def holders_of(state: Any) -> list[bytes]:
    """Return the sessions that hold something, each once."""
    found = (_sessions_in(getattr(state, name, None)) for name in _HOLDING)
    return list(dict.fromkeys(itertools.chain.from_iterable(found)))


def waiting_of(state: Any) -> int:
    """Return how many wait."""
    return sum(len(getattr(state, name, ())) for name in _WAITING)


def token_of(state: Any) -> int:
    """Return the token of the last grant; 0: there was none, or its kind has none."""
    return int(getattr(state, "token", 0))


def _sessions_in(value: Any) -> Iterator[bytes]:
    if isinstance(value, Caller):
        yield value.session
    elif isinstance(value, bytes):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from _sessions_in(one)
