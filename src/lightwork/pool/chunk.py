"""Chunk: several items of a map run as one call; the part that runs in the child.

One failing item fails only itself, so a chunk never raises for an item: it
returns what every item gave, and how long they took, from which mapping.py
decides how many items the next chunk has.

Children import this module for the first chunk they run: it imports little.
"""

import pickle
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import Any


@dataclass(frozen=True, slots=True)
class ItemFailure:
    """The exception of one item; packs itself into bytes and text where it must travel."""

    error: BaseException

    def __reduce__(self) -> tuple[Any, ...]:
        return (PackedFailure, _pack(self.error))


@dataclass(frozen=True, slots=True)
class PackedFailure:
    """An exception that came from a child; `pickled` is empty if it cannot be rebuilt."""

    pickled: bytes
    type: str
    text: str
    traceback: str


@dataclass(frozen=True, slots=True)
class ChunkOutcome:
    """What the items gave.

    Attributes:
        results: One per item; None in the place of an item that raised.
        failures: By position within the chunk.
        seconds: How long the items ran, without any transport.
    """

    results: list[Any]
    failures: dict[int, ItemFailure | PackedFailure]
    seconds: float


def run_chunk(fn: Callable[..., Any], items: Sequence[Any]) -> ChunkOutcome:
    """Call `fn(item)` for every item."""
    return _run(map, fn, items)


def run_star_chunk(fn: Callable[..., Any], items: Sequence[tuple[Any, ...]]) -> ChunkOutcome:
    """Call `fn(*item)` for every item."""
    return _run(starmap, fn, items)


def _run(
    apply: Callable[[Callable[..., Any], Iterator[Any]], Iterable[Any]],
    fn: Callable[..., Any],
    items: Sequence[Any],
) -> ChunkOutcome:
    results: list[Any] = []
    failures: dict[int, ItemFailure | PackedFailure] = {}
    source = iter(items)
    started = time.perf_counter()
    while len(results) < len(items):
        try:
            # All in C, 20 ns per item beside fn itself; what came before an
            # exception stays in the list, and the source stands behind its item.
            results.extend(apply(fn, source))
        except KeyboardInterrupt:
            raise  # Ctrl-C is about the program, not about an item.
        except BaseException as error:  # A pool reports whatever user code raised.
            failures[len(results)] = ItemFailure(error)
            results.append(None)
        else:
            if len(results) < len(items):
                # extend() took a StopIteration of fn for the end of the items.
                failures[len(results)] = ItemFailure(
                    RuntimeError("the function raised StopIteration")
                )
                results.append(None)
    return ChunkOutcome(results, failures, time.perf_counter() - started)


def _pack(error: BaseException) -> tuple[bytes, str, str, str]:
    text = _text(error)
    trace = "".join(traceback.format_exception(error))
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    return (_pickled(error), kind, text, trace)


def _pickled(error: BaseException) -> bytes:
    # Loading is part of the test: an exception whose __init__ takes other
    # arguments than it hands to super() pickles well and cannot be loaded.
    try:
        pickled = pickle.dumps(error, 5)
        return pickled if type(pickle.loads(pickled)) is type(error) else b""
    except Exception:
        return b""


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "(its text could not be made)"
