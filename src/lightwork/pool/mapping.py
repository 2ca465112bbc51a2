"""Mapping: `Executor.map` over every executor, in chunks, never far ahead.

Items are taken from the input only in the thread that calls `map` and `next()`:
an input with thread affinity (a database cursor, a generator) stays in its
thread. Work starts at the call, before the first `next()`.

    input ──take──> chunk ──start_call──> running ──done──> ready ──next()──> caller
          └────────── taken and not yet yielded: at most the window ─────────┘

Three numbers bound what is under way, each decided by a pure function of pace.py:

- *chunk size*: `next_size` aims at chunks of 20 to 50 ms by the time that the
  items of finished chunks ran (measured where they ran, so a slow caller does
  not look like slow items); `limit_size` keeps a chunk small in bytes, within
  the window, and small near the end of an input whose length is known.
- *calls in flight*: `calls_in_flight` keeps every slot busy with at least two.
- *window*: `buffersize`, or `auto_window` when it is None.

Failures. One failing item fails only itself. When the child dies, nobody knows
which item did it and the results of its neighbours died with it. Running them
again would be a silent re-run, which a local pool never does. So every item of
that chunk fails with WorkerLost, which names the chunk; `chunksize=1` makes the
blame exact. A task with a time-out, a memory cap or retries always runs one item
per call, since these policies are promises about one call: an item that is run
again takes no neighbour with it.

A failure of the chunk itself (its arguments or results cannot be pickled, it
was cancelled) also belongs to every item of it.
"""

import pickle
import queue
import sys
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence, Sized
from concurrent.futures import CancelledError
from concurrent.futures.process import _RemoteTraceback
from dataclasses import dataclass
from functools import partial
from itertools import islice
from os import cpu_count
from typing import Any, Final, Literal, NoReturn

from lightwork.clock import monotonic
from lightwork.errors import RemoteError, UsageError, WorkerLost
from lightwork.pool.call import CallOptions, call_options
from lightwork.pool.chunk import (
    ChunkOutcome,
    ItemFailure,
    PackedFailure,
    run_chunk,
    run_star_chunk,
)
from lightwork.pool.future import Future
from lightwork.pool.pace import (
    SAMPLE,
    WINDOW_BYTES,
    approximate_size,
    auto_window,
    calls_in_flight,
    limit_size,
    next_size,
    take_count,
)

StartCall = Callable[
    [Callable[..., Any], tuple[Any, ...], dict[str, Any], CallOptions], Future[Any]
]

# So few items of an input of known length are all submitted at the call, like
# the standard library does: their results outlive a shutdown.
EAGER_ITEMS: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOptions:
    """How a map is run; see `Executor.map` for the meanings.

    `slots` is how many calls the executor runs at once; 0 means one per CPU.

    Raises:
        UsageError: An option has a value that makes no sense.
    """

    timeout: float | None = None
    chunksize: int | Literal["auto"] = "auto"
    buffersize: int | None = None
    ordered: bool = True
    errors: Literal["raise", "return"] = "raise"
    slots: int = 0

    def __post_init__(self) -> None:
        if self.chunksize != "auto":
            _check_count("chunksize", self.chunksize, 'an integer of at least 1 or "auto"')
        if self.buffersize is not None:
            _check_count("buffersize", self.buffersize, "an integer of at least 1 or None")
        if self.errors not in {"raise", "return"}:
            raise UsageError(f'errors must be "raise" or "return"; seen: {self.errors!r}')
        if self.timeout is not None and not isinstance(self.timeout, int | float):
            raise UsageError(f"timeout must be seconds or None; seen: {self.timeout!r}")


def map_calls(
    start_call: StartCall,
    fn: Callable[..., Any],
    iterables: Sequence[Iterable[Any]],
    options: MapOptions,
) -> Generator[Any, None, None]:
    """Start to run `fn` with the zipped items; return an iterator over the results.

    Closing or dropping an iterator in use cancels what has not started; one that
    was never used leaves running what was submitted, as in the standard library,
    and warns if that was not everything. No result is kept once it was yielded.

    Raises:
        UsageError: A chunk size above 1 for a task with a time-out, memory cap or retries.
    """
    chunksize = _allowed_chunksize(options.chunksize, call_options(fn))
    start_chunk = _chunk_starter(start_call, fn, len(iterables), chunksize)
    source = iter(iterables[0]) if len(iterables) == 1 else zip(*iterables, strict=False)
    running = _Map(start_chunk, source, _known_length(iterables), chunksize, options)
    results = running.results()
    # Submits, up to the first yield; a generator that never started could not
    # warn when it is dropped.
    next(results)
    return results


class _Chunk:
    """One submitted call: the items from `first` on, `size` of them."""

    __slots__ = ("first", "future", "size")

    def __init__(self, first: int, size: int, future: Future[Any]) -> None:
        self.first = first
        self.size = size
        self.future = future


class _Map:
    """The state of one map; used by one thread, the one that uses its results.

    Invariant: `taken - yielded <= window`, and every taken item is in exactly
    one of: a chunk of `running`, a chunk of `ready`, or the list being yielded.
    """

    def __init__(
        self,
        start_chunk: Callable[[list[Any]], Future[Any]],
        source: Iterator[Any],
        length: int,
        chunksize: int,
        options: MapOptions,
    ) -> None:
        self._start_chunk = start_chunk
        self._source = source
        self._length = length
        self._options = options
        self._slots = options.slots or cpu_count() or 1
        # 0 means "auto".
        self._chunksize = chunksize
        self._size = chunksize or 1
        self._deadline = None if options.timeout is None else monotonic() + options.timeout
        self._taken = 0
        self._yielded = 0
        self._item_bytes = 0
        self._is_exhausted = False
        # By serial number: the position of a chunk's first item.
        self._running: dict[int, _Chunk] = {}
        self._ready: dict[int, _Chunk] = {}
        # Serial numbers of finished chunks, put by the pool's threads. Not the
        # chunks: a future keeps its callbacks, and the cycle would keep results.
        self._done: queue.SimpleQueue[int] = queue.SimpleQueue()

    def results(self) -> Generator[Any, None, None]:
        """Yield once when started, then every result."""
        self._submit_more()
        try:
            yield None
        except GeneratorExit:
            self._warn_if_unfinished()
            return
        values: deque[Any] = deque()
        error: BaseException | None = None
        try:
            while (chunk := self._next_chunk()) is not None:
                size = chunk.size
                values, error = self._values(chunk)
                del chunk
                take = values.popleft
                while values:
                    yield take()
                if error is not None:
                    _raise(error)
                self._yielded += size
        finally:
            # The frame lives on in the traceback of an error: keep nothing.
            values.clear()
            error = None
            self._cancel()

    def _next_chunk(self) -> _Chunk | None:
        """Return the next finished chunk; None when all were."""
        self._note_finished()
        self._submit_more()
        while self._running or self._ready:
            if (chunk := self._pop_ready()) is not None:
                return chunk
            self._note_done(self._wait())
            self._note_finished()
            self._submit_more()
        return None

    def _pop_ready(self) -> _Chunk | None:
        if not self._options.ordered:
            return self._ready.pop(next(iter(self._ready), -1), None)
        # All before it was yielded: the next in order starts where they ended.
        return self._ready.pop(self._yielded, None)

    def _wait(self) -> int:
        if self._deadline is None:
            return self._done.get()
        try:
            return self._done.get(timeout=max(0.0, self._deadline - monotonic()))
        except queue.Empty:
            raise TimeoutError(
                f"map: no result within {self._options.timeout} s of the call; "
                f"{self._yielded} results were yielded, {len(self._running)} calls are unfinished"
            ) from None

    def _note_finished(self) -> None:
        while not self._done.empty():
            self._note_done(self._done.get())

    def _note_done(self, serial: int) -> None:
        chunk = self._running.pop(serial)
        self._ready[serial] = chunk
        if not self._chunksize and _chunk_error(chunk) is None:
            outcome: ChunkOutcome = chunk.future.result()
            self._size = next_size(self._size, chunk.size, outcome.seconds)
            self._learn_bytes(outcome.results)

    def _submit_more(self) -> None:
        while not self._is_exhausted and (count := self._count_to_take()):
            items = list(islice(self._source, count))
            self._is_exhausted = len(items) < count
            if items:
                self._learn_bytes(items)
                self._submit(items)

    def _count_to_take(self) -> int:
        window = self._options.buffersize or self._auto_window()
        size = self._chunksize or limit_size(
            self._size,
            slots=self._slots,
            window=window,
            item_bytes=self._item_bytes,
            remaining=self._length - self._taken,
        )
        if len(self._running) >= calls_in_flight(self._slots, size) and not self._is_eager():
            return 0
        room = window - (self._taken - self._yielded)
        return take_count(size, room, is_idle=not (self._running or self._ready))

    def _auto_window(self) -> int:
        window = auto_window(self._slots, self._size, self._item_bytes)
        # One more: only asking for an item that is not there shows that all were taken.
        return max(window, self._length + 1) if self._is_eager() else window

    def _is_eager(self) -> bool:
        few = self._length <= EAGER_ITEMS and self._options.buffersize is None
        return few and self._length * self._item_bytes <= WINDOW_BYTES

    def _submit(self, items: list[Any]) -> None:
        first, done = self._taken, self._done
        try:
            future = self._start_chunk(items)
        except RuntimeError as error:
            error.add_note(
                f"map had taken {first} items; it takes them as its results are used: "
                "use the results before the executor is shut down"
            )
            raise
        self._taken += len(items)
        self._running[first] = _Chunk(first, len(items), future)
        future.add_done_callback(lambda _: done.put(first))

    def _learn_bytes(self, values: list[Any]) -> None:
        sample = values[:SAMPLE]
        size = sum(map(approximate_size, sample)) // len(sample)
        self._item_bytes = max(size, self._item_bytes // 2)

    def _values(self, chunk: _Chunk) -> tuple[deque[Any], BaseException | None]:
        """Return what to yield for a chunk, and what to raise after that."""
        values: list[Any] = [None] * chunk.size
        if (error := _chunk_error(chunk)) is not None:
            failures = _chunk_failures(error, chunk)
        elif self._chunksize == 1:
            return deque((chunk.future.result(),)), None
        else:
            outcome: ChunkOutcome = chunk.future.result()
            values = outcome.results
            failures = {at: _unpack(failure) for at, failure in outcome.failures.items()}
        if not failures:
            return deque(values), None
        if self._options.errors == "raise":
            guilty = min(failures)
            return deque(values[:guilty]), failures[guilty]
        for at, failure in failures.items():
            values[at] = failure
        return deque(values), None

    def _warn_if_unfinished(self) -> None:
        if not self._is_exhausted:
            warnings.warn(
                f"the results of a map were never used: only its first {self._taken} items run, "
                "because a map takes its items as its results are used; use the results "
                "(for _ in executor.map(...): pass) or submit each call",
                RuntimeWarning,
                stacklevel=3,
            )

    def _cancel(self) -> None:
        for chunk in self._running.values():
            chunk.future.cancel()
        self._running.clear()
        self._ready.clear()


def _chunk_starter(
    start_call: StartCall, fn: Callable[..., Any], width: int, chunksize: int
) -> Callable[[list[Any]], Future[Any]]:
    """Return what submits a list of items, which are tuples unless `width` is 1."""
    policy = call_options(fn)
    if chunksize == 1 and width == 1:
        return lambda items: start_call(fn, (items[0],), {}, policy)
    if chunksize == 1:
        return lambda items: start_call(fn, items[0], {}, policy)
    # One object for all chunks: a pool of processes sends it once per child.
    chunk_fn = partial(run_chunk if width == 1 else run_star_chunk, fn)
    return lambda items: start_call(chunk_fn, (items,), {}, policy)


def _allowed_chunksize(chunksize: int | Literal["auto"], policy: CallOptions) -> int:
    """Return the fixed size of chunks, or 0 for "auto"."""
    if policy.timeout or policy.max_memory or policy.retries:
        if chunksize not in {1, "auto"}:
            raise UsageError(
                "a task with a timeout, max_memory or retries runs one item per call: "
                f'expected chunksize 1 or "auto"; seen: {chunksize!r}'
            )
        return 1
    return 0 if chunksize == "auto" else chunksize


def _known_length(iterables: Sequence[Iterable[Any]]) -> int:
    """Return how many items will come at most; sys.maxsize if that is not known."""
    lengths = (len(items) for items in iterables if isinstance(items, Sized))
    return min(lengths, default=sys.maxsize)


def _check_count(name: str, value: object, expected: str) -> None:
    if type(value) is not int or value < 1:
        raise UsageError(f"{name} must be {expected}; seen: {value!r}")


def _chunk_error(chunk: _Chunk) -> BaseException | None:
    """Return why the whole chunk has no outcome, if so."""
    try:
        return chunk.future.exception()
    except CancelledError as error:
        return error


def _chunk_failures(error: BaseException, chunk: _Chunk) -> dict[int, BaseException]:
    if chunk.size == 1:
        return {0: error}
    if isinstance(error, WorkerLost):
        # One exception per item: each may be raised, and gets its own traceback.
        return {at: _lost_in_chunk(error, chunk) for at in range(chunk.size)}
    return dict.fromkeys(range(chunk.size), error)


def _lost_in_chunk(error: WorkerLost, chunk: _Chunk) -> WorkerLost:
    last = chunk.first + chunk.size - 1
    lost = WorkerLost(
        f"{error} It ran items {chunk.first} to {last} of a map in one chunk, whose results were "
        "lost with it; chunksize=1 would have blamed the guilty item alone.",
        **error.__dict__,
    )
    lost.__cause__ = error
    return lost


def _unpack(failure: ItemFailure | PackedFailure) -> BaseException:
    """Return the exception of an item; one from a child has its traceback as cause."""
    if isinstance(failure, ItemFailure):
        return failure.error
    if failure.pickled:
        error: BaseException = pickle.loads(failure.pickled)
    else:
        error = RemoteError(
            f"{failure.type}: {failure.text}",
            error_type=failure.type,
            error_text=failure.text,
            traceback=failure.traceback,
        )
    # The same class as in the standard library: its str() is the text.
    error.__cause__ = _RemoteTraceback(failure.traceback)  # type: ignore[arg-type]
    return error


def _raise(error: BaseException) -> NoReturn:
    try:
        raise error
    finally:
        # The traceback holds this frame; without this the exception holds itself.
        del error
