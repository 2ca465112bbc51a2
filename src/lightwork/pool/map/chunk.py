"""Chunk: several items of a map run as one call; the part that runs in the child.

One failing item fails only itself, so a chunk never raises for an item: it
returns what every item gave, and how long they took, from which feed.py
decides how many items the next chunk has.

A process that an item has forked in a child, and that comes back from it, runs none of the items behind: they
are its parent's (bundle.py). What an item changes of its process, such as the folder, is put back when the chunk ends.

Children import this module for the first chunk they run: it imports little.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import Any, Final, NamedTuple

from lightwork.error_text import leave_out_own_frames
from lightwork.locks.uninterrupted import is_main_thread
from lightwork.pool.memory.control_block import own_block
from lightwork.pool.wire.display_name import runs_first_argument
from lightwork.pool.wire.dump_exception import pack_exception


@dataclass(frozen=True, slots=True)
class ItemFailure:
    """The exception of one item; packs itself where it must travel."""

    error: BaseException

    def __reduce__(self) -> tuple[Any, ...]:
        return PackedFailure, (pack_exception(self.error),)


@dataclass(frozen=True, slots=True)
class PackedFailure:
    """An exception that came from a child, as wire/dump_exception.py has packed it."""

    data: bytes


class ChunkOutcome(NamedTuple):
    """What the items gave. No dataclass: to pickle one takes 10 us.

    Attributes:
        results: One per item; None in the place of an item that raised.
        failures: By position within the chunk.
        seconds: How long the items ran, without any transport.
    """

    results: list[Any]
    failures: dict[int, ItemFailure | PackedFailure]
    seconds: float


# In a child: where chunks that run are in their items, by its identity; a call may have a pool of threads
# of its own.
_left: Final[dict[int, Any]] = {}


def _be_forked() -> None:
    for source in _left.values():
        # Whoever goes through a list or a range, in C as well, is at its end.
        source.__setstate__(sys.maxsize)


os.register_at_fork(after_in_child=_be_forked)


@runs_first_argument
def run_chunk(fn: Callable[..., Any], items: Sequence[Any]) -> ChunkOutcome:
    """Call `fn(item)` for every item."""
    return _run(map, fn, items)


@runs_first_argument
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
    is_child = bool(own_block)
    if is_child:
        _left[id(source)] = source
    started = time.perf_counter()
    while len(results) < len(items):
        try:
            # All in C, 20 ns per item beside fn itself; what came before an
            # exception stays in the list, and the source stands behind its item.
            results.extend(apply(fn, source))
        except BaseException as error:  # A pool reports whatever user code raised.
            if type(error) is KeyboardInterrupt and is_main_thread() and not is_child:
                raise  # Ctrl-C is about the program, not about an item.
            leave_out_own_frames(error)
            failures[len(results)] = ItemFailure(error)
            results.append(None)
        else:
            if len(results) < len(items):
                # extend() took a StopIteration of fn for the end of the items.
                failures[len(results)] = ItemFailure(
                    RuntimeError("the function raised StopIteration")
                )
                results.append(None)
    seconds = time.perf_counter() - started
    _left.pop(id(source), None)
    return ChunkOutcome(results, failures, seconds)
