"""Bundle: many short calls of a map that travel as one, and are many all the same.

A call costs about 20 us to hand over and to take back; a bundle costs that once.
Its items are run one by one, and the child keeps a board of them in its control block:

    item    this call, and how many of its items were begun, stored before one begins
    done    how many are done, stored when a result lies on the board
    limit   the pool's word: this item of this call is not to be begun

So a death costs the item that ran, as it does with single calls. What was done
before lies on the board and is delivered; what was not begun runs elsewhere. (A
child that dies before the first item, perhaps while it imports the function, is
nobody's fault twice; then all items of the bundle are lost with the third one.)

The pool takes items back as well: those behind one that turns out to be long.
It stores `limit`, then looks at `item`; the child stores `item`, then looks at
`limit`. With a fence between the two, on either side, at least one of them sees
what the other has stored. If the pool sees that the child has begun nothing more,
nothing more will begin, and the rest is the pool's to give to others. If not, the
child may have stopped or not; it says so when the bundle ends.

Items are pickled one by one, as arguments of single calls would be: one that
cannot be loaded, or a result that cannot be pickled, fails alone. What is large
does not travel so: an item that has large buffers is sent as a call of its own,
a large result ends its bundle and goes with the answer, a pickle in the answer's (Apart); the rest becomes another call.

Children import this module for the first bundle they run: it imports little.
"""

import os
import time
from array import array
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from pickle import PickleBuffer, dumps
from threading import Lock
from types import NoneType
from typing import Any, Final, NamedTuple, Never

from lightwork.pool.call.process_state import changed, undo
from lightwork.pool.memory.control_block import (
    BUNDLE_MAX,
    DONE,
    ITEM,
    ITEM_SPAN,
    LIMIT,
    STARTED,
    own_block,
)
from lightwork.pool.wire.display_name import runs_first_argument
from lightwork.pool.wire.dump_exception import pack_exception
from lightwork.pool.wire.pickling import dump_answer_apart, dump_apart, load

# In the place where a result ends: it is an exception.
FAILED: Final = 1 << 31
# In the same place: it is a list of what several items gave, all plain values (trial.py).
GROUP: Final = 1 << 30
# Items whose arguments take more travel by themselves: they would gain little.
ITEM_BYTES_MAX: Final = 1 << 12

# Nothing in these can lie apart or go by value: a pickle of a third of the price.
_PLAIN: Final = frozenset({int, float, bool, NoneType, str})
# What an item gave may be bytes as well: they are part of its pickle.
_PLAIN_RESULTS: Final = _PLAIN | {bytes}

# Taking and releasing a lock is a full barrier between what comes before and after.
barrier = Lock()


class Parcel(NamedTuple):
    """Pickles one behind the other, and where each ends, as 32-bit numbers."""

    ends: bytes
    data: bytes

    def pickles(self) -> list[memoryview]:
        """Return the pickles of items."""
        data = memoryview(self.data)
        return [data[start:end] for start, end in pairwise([0, *self.ends_as_numbers()])]

    def pieces(self) -> int:
        """Return how many pickles there are."""
        return len(self.ends) // 4

    def ends_as_numbers(self) -> list[int]:
        """Return where each pickle ends; FAILED is added where that is an exception."""
        return memoryview(self.ends).cast("I").tolist()


class Apart(NamedTuple):
    """A result that found no room on the board: its pickle, which may fail to be loaded, and its large buffers."""

    data: bytes
    buffers: tuple[Any, ...] = ()


def keep_apart(data: bytes, buffers: Sequence[memoryview]) -> Apart:
    """Return a result as it goes with the answer; buffers still are the value's."""
    return Apart(data, tuple(map(PickleBuffer, buffers)))


class Outcome(NamedTuple):
    """What a part of a bundle gave.

    Attributes:
        results: One per item that is done.
        last: The result of one more item, if it was too large for the board.
        last_error: The exception of one more item, packed, if it was.
        seconds: How long the items ran; 0.0 when not known.
        lost: Why more items have no result: they ran when the child died.
        lost_items: How many these are, if there are any.
        items: Of how many items the results are, where several may share a pickle; -1: each has its own.
    """

    results: Parcel
    last: tuple[Any, ...] = ()
    last_error: bytes = b""
    seconds: float = 0.0
    lost: BaseException | None = None
    lost_items: int = 1
    items: int = -1

    def done(self) -> int:
        """Return how many items were run to their end."""
        kept = self.results.pieces() if self.items < 0 else self.items
        return kept + len(self.last) + bool(self.last_error)


def pack_items(items: Sequence[Any]) -> tuple[Parcel, int]:
    """Pack items for a bundle; return them and how many there are, which may be none.

    It ends before an item that must travel by itself: a large one, or one whose pickling raises.
    """
    pickles: list[bytes] = []
    apart: Sequence[memoryview] = ()
    for item in items[:BUNDLE_MAX]:
        try:
            if type(item) in _PLAIN:
                data = dumps(item, 5)
            else:
                data, apart = dump_apart(item)
        except Exception:
            break  # As a call of its own it raises again, to whom it concerns.
        if apart or len(data) > ITEM_BYTES_MAX:
            break
        pickles.append(data)
    return parcel_of(pickles), len(pickles)


def parcel_of(items: Sequence[bytes]) -> Parcel:
    """Pack items that are bytes already: at most BUNDLE_MAX, none of more than ITEM_BYTES_MAX."""
    return Parcel(array("I", accumulate(map(len, items))).tobytes(), b"".join(items))


# --- in the child

# Of the child alone: what becomes of an item's value or exception.
_dump, _dumps, _pack = dump_answer_apart, dumps, pack_exception


def leave(*_: object) -> Never:
    """End a process that an item has forked and that comes back from it.

    The board is its parent's, and the items behind are for one process only.
    """
    os._exit(0)


def _be_forked() -> None:
    global _dump, _dumps, _pack  # noqa: PLW0603 - costs nothing where nobody forks
    _dump = _dumps = _pack = leave  # type: ignore[assignment]


os.register_at_fork(after_in_child=_be_forked)


@runs_first_argument
def run_bundle(fn: Callable[..., Any], items: Parcel, *, first: int, end: int) -> Outcome:
    """Call `fn(item)` for the items from `first` to `end`, or for some of them."""
    return run_items(lambda data: fn(load(data)), items.pickles()[first:end])


@runs_first_argument
def run_star_bundle(fn: Callable[..., Any], items: Parcel, *, first: int, end: int) -> Outcome:
    """Call `fn(*item)` for the items from `first` to `end`, or for some of them."""
    return run_items(lambda data: fn(*load(data)), items.pickles()[first:end])


def run_items(call: Callable[[memoryview], Any], items: Sequence[memoryview]) -> Outcome:
    """Run a bundle's items, or some of them; only as the call that this child is given."""
    block = own_block[0]
    words, ends, results = block.words, block.ends, block.results
    base = words[STARTED] * ITEM_SPAN
    room = len(results)
    used = done = 0
    last: tuple[Any, ...] = ()
    last_error = b""
    flag = 0
    apart: Sequence[memoryview]
    words[DONE] = 0
    started = time.perf_counter()
    for item in items:
        words[ITEM] = base + done + 1
        with barrier:
            pass
        if 0 <= words[LIMIT] - base <= done:
            words[ITEM] = base + done
            break
        flag, apart = 0, ()
        try:
            value = call(item)
            if type(value) in _PLAIN_RESULTS:
                data = _dumps(value, 5)
            else:
                data, apart = _dump(value)
        except BaseException as error:
            # Whatever an item raises, SystemExit included, is its own outcome.
            data, flag = _pack(error), FAILED
        if changed:
            undo()
        if apart or len(data) > room - used:
            last, last_error = ((), data) if flag else ((keep_apart(data, apart),), b"")
            break
        results[used : used + len(data)] = data
        used += len(data)
        ends[done] = used + flag
        done += 1
        words[DONE] = done
    seconds = time.perf_counter() - started
    return Outcome(Parcel(bytes(ends[:done]), bytes(results[:used])), last, last_error, seconds)
