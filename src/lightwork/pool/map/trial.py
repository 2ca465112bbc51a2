"""Trial: the first items of a map, of which nobody knows yet how long they take; the part in the child.

They are sent as a chunk is, one pickle for all, and run as a bundle is, against the board (bundle.py):
what turns out to be long holds up none of its neighbours, and what has not begun when the child dies
runs elsewhere. But the board is not told of each item, which costs a microsecond and is more than a
short one takes. It is told of *strides*:

    1, 4, 16, 64, 256, ...     as long as a stride takes less than STRIDE_SECONDS

So items of 20 us and more are begun one by one, as in a bundle, and a death costs that one. Of shorter ones
it costs what was begun with it, some 40 us of work, where a chunk has a thousand times as much.

A trial ends when its items have run for as long as a chunk should; what is left becomes another call, so
that whoever reads gets results and the next calls get a size.

Only plain items travel so (`is_plain`): their pickles can be made and loaded, whatever they are, so
that no item fails for another one. For the same reason the results of a stride are one pickle if they are plain; else
each result has its own, and is nobody else's object. To ask 5,000 numbers what they are takes as long as to pickle
them, so pickle is asked, which has to know (`_dump_numbers`).

An item that changes the process (its folder, umask, alarms, what signals do) is found out when its stride ends, and all is put
back as it was; from then on each stride is one item, for the next may do it too.

Children import this module for the first trial they run: it imports little.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BytesIO
from itertools import chain, islice, starmap
from pickle import Pickler, PicklingError, dumps
from types import NoneType
from typing import Any, Final, Never, TypeAlias

from lightwork.error_text import leave_out_own_frames
from lightwork.pool.call.process_state import changed, undo
from lightwork.pool.map.bundle import FAILED, GROUP, Outcome, Parcel, barrier, keep_apart, leave
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
from lightwork.pool.wire.pickling import dump_answer_apart, load

# As many as have their results on the board of a child, three bytes each.
TRIAL_MAX: Final = 8192
# Bytes of items that are sent so.
TRIAL_BYTES: Final = 1 << 16
# How long the items of one run before what is left is another call.
TRIAL_SECONDS: Final = 0.030
STRIDE_SECONDS: Final = 40e-6
# Of no-ops, which take 15 ns, so many take as long.
STRIDE_MAX: Final = 2048
_GROWTH: Final = 4

_NUMBERS: Final = frozenset({int, float, bool, NoneType})
_PLAIN: Final = _NUMBERS | {complex, str, bytes}

_Apply: TypeAlias = Callable[[Callable[..., Any], Iterator[Any]], Iterable[Any]]


def is_plain(values: Sequence[Any]) -> bool:
    """Whether values, or tuples of them, are of types that pickle knows by itself."""
    kinds = [*map(type, values)]
    kind = kinds[0] if kinds else NoneType
    # Most often all are of one type, which is found out in two thirds of the time that a set takes.
    if kinds.count(kind) < len(kinds):
        return _PLAIN.issuperset(kinds)
    return kind in _PLAIN or (
        kind is tuple and _PLAIN.issuperset(map(type, chain.from_iterable(values)))
    )


def dump_together(values: Sequence[Any]) -> bytes:
    """Return values, of which there are some, as one pickle; empty: they are not plain."""
    if type(values) is range:
        return dumps(values, 5)
    if type(values[0]) in _NUMBERS and (data := _dump_numbers(values)):
        return data
    return dumps(values, 5) if is_plain(values) else b""


class _NumbersPickler(Pickler):
    """Knows numbers; of texts and collections it keeps in mind that it has seen them."""

    def reducer_override(self, _: object, /) -> Never:
        """Refuse what pickle does not know by itself."""
        raise PicklingError


def _dump_numbers(values: Sequence[Any]) -> bytes:
    """Return a list of nothing but numbers as one pickle; empty: it is not."""
    data = BytesIO()
    pickler = _NumbersPickler(data, 5)
    try:
        pickler.dump(values)
    except PicklingError:
        return b""
    # Of all that it has seen only the list itself was no number.
    return data.getvalue() if len(pickler.memo.copy()) == 1 else b""


def pack_trial(items: Sequence[Any]) -> bytes:
    """Return all items as one pickle; empty: they do not travel so."""
    data = dump_together(items) if len(items) <= TRIAL_MAX else b""
    return data if len(data) <= TRIAL_BYTES else b""


# --- in the child

# What becomes of values and exceptions; what is left to run, while a stride does.
_dump_all, _dump, _pack = dump_together, dump_answer_apart, pack_exception
_left: list[Any] = []


def _be_forked() -> None:
    global _dump_all, _dump, _pack  # noqa: PLW0603 - as in bundle.py
    _dump_all = _dump = _pack = leave  # type: ignore[assignment]
    for source in _left:
        # Whoever goes through a list or a range, in C as well, is at its end.
        source.__setstate__(sys.maxsize)


os.register_at_fork(after_in_child=_be_forked)


@runs_first_argument
def run_trial(fn: Callable[..., Any], items: bytes, *, first: int, end: int) -> Outcome:
    """Call `fn(item)` for the items from `first` to `end`, or for some of them."""
    return _run(map, fn, load(items)[first:end])


@runs_first_argument
def run_star_trial(fn: Callable[..., Any], items: bytes, *, first: int, end: int) -> Outcome:
    """Call `fn(*item)` for the items from `first` to `end`, or for some of them."""
    return _run(starmap, fn, load(items)[first:end])


def _run(apply: _Apply, fn: Callable[..., Any], items: Sequence[Any]) -> Outcome:
    board = _Board()
    source, count = iter(items), len(items)
    _left[:] = [source]
    stride, most, ran = 1, STRIDE_MAX, 0.0
    while board.done < count and ran < TRIAL_SECONDS and not board.tail:
        size = board.begin(min(stride, count - board.done))
        if not size:
            break
        began = time.perf_counter()
        values, error = _run_stride(apply, fn, islice(source, size), size)
        took = time.perf_counter() - began
        if changed:
            undo()
            most = 1
        board.put_values(values)
        if error is not None:
            board.put_error(error)
        ran += took
        fitting = int((len(values) + 1) * STRIDE_SECONDS / max(took, 1e-9))
        stride = max(1, min(stride * _GROWTH, most, fitting))
    return board.outcome(ran)


def _run_stride(
    apply: _Apply, fn: Callable[..., Any], source: Iterator[Any], size: int
) -> tuple[list[Any], BaseException | None]:
    """Return what the items gave up to one that failed, and its error."""
    values: list[Any] = []
    try:
        # All in C; what came before an exception stays in the list, and the source stands behind its item.
        values.extend(apply(fn, source))
    except BaseException as error:
        # Whatever an item raises, SystemExit included, is its own outcome.
        leave_out_own_frames(error)
        return values, error
    if len(values) < size:
        # extend() took a StopIteration of fn for the end of the items.
        return values, RuntimeError("the function raised StopIteration")
    return values, None


class _Board:
    """The child's view of its board: which items have begun, and results of those that are done.

    Attributes:
        done: How many items have an outcome.
        tail: Outcomes that found no room on the board; what has any is the last of its trial.
    """

    def __init__(self) -> None:
        block = own_block[0]
        self._words, self._ends, self._results = block.words, block.ends, block.results
        self._base = self._words[STARTED] * ITEM_SPAN
        self._pieces = self._used = self.done = 0
        self.tail: list[Any] = []
        self._words[DONE] = 0

    def begin(self, size: int) -> int:
        """Say that so many more items begin; return how many of them may."""
        words, base, done = self._words, self._base, self.done
        words[ITEM] = base + done + size
        with barrier:
            pass
        allowed = words[LIMIT] - base
        if 0 <= allowed < done + size:
            size = max(allowed - done, 0)
            words[ITEM] = base + done + size
        return size

    def put_values(self, values: list[Any]) -> None:
        """Keep what items of one stride gave."""
        if len(values) > 1 and (data := _dump_all(values)) and self._put(data, GROUP, len(values)):
            return
        for value in values:
            try:
                data, apart = _dump(value)
            except BaseException as error:
                self.put_error(error)
                continue
            if apart or not self._put(data, 0, 1):
                self._put_behind(keep_apart(data, apart))

    def put_error(self, error: BaseException) -> None:
        """Keep what an item raised."""
        if not self._put(_pack(error), FAILED, 1):
            # It imports dataclasses, and hardly any child comes here.
            from lightwork.pool.map.chunk import ItemFailure  # noqa: PLC0415 - see above

            self._put_behind(ItemFailure(error))

    def outcome(self, seconds: float) -> Outcome:
        """Return all that was kept."""
        results = Parcel(bytes(self._ends[: self._pieces]), bytes(self._results[: self._used]))
        items = self.done - len(self.tail)
        return Outcome(results, tuple(self.tail), seconds=seconds, items=items)

    def _put(self, data: bytes, flag: int, items: int) -> bool:
        """Put it onto the board; False: there is no room, or something is behind it already."""
        used = self._used + len(data)
        if self.tail or used > len(self._results) or self._pieces == BUNDLE_MAX:
            return False
        self._results[self._used : used] = data
        self._ends[self._pieces] = used + flag
        self._used = used
        self._pieces += 1
        self.done += items
        self._words[DONE] = self.done * ITEM_SPAN + self._pieces
        return True

    def _put_behind(self, outcome: object) -> None:
        self.tail.append(outcome)
        self.done += 1
