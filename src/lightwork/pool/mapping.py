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
  With a chunk size of 1, `next_bundle` decides how many single items travel together.
- *calls in flight*: `calls_in_flight` keeps every slot busy with at least two.
- *window*: `buffersize`, or `auto_window` when it is None.

How items travel (travel.py): with a chunk size of 1 each is a call of its own,
and short ones travel in bundles; with "auto" likewise from the time an item
takes that makes it worth it (BUNDLE_SECONDS), below as chunks.

Failures. One failing item fails only itself. When a child dies that runs a chunk,
nobody knows which item did it and the results of its neighbours died with it.
Running them again would be a silent re-run, which a local pool never does. So
every item of that chunk fails with WorkerLost, which names the chunk; a bundle
makes the blame exact, so `chunksize=1` does. A task with a time-out, a memory cap or
retries always runs one item per call, since these policies are promises about one
call: an item that is run again takes no neighbour with it.

A failure of the chunk itself (its arguments or results cannot be pickled, it
was cancelled) also belongs to every item of it.
"""

import queue
import sys
import warnings
from collections.abc import (
    AsyncGenerator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Sequence,
    Sized,
)
from dataclasses import replace
from itertools import chain, islice
from os import cpu_count
from typing import Any, Final, Literal, NamedTuple

from lightwork.clock import monotonic
from lightwork.errors import UsageError
from lightwork.pool.call import CallOptions, Split, call_options
from lightwork.pool.coroutine import is_coroutine_function
from lightwork.pool.future import CancelMode
from lightwork.pool.map_chunk import MapChunk
from lightwork.pool.map_options import MapOptions
from lightwork.pool.pace import (
    BUNDLE_SECONDS,
    SAMPLE,
    WINDOW_BYTES,
    approximate_size,
    are_light,
    async_slots,
    auto_window,
    calls_in_flight,
    limit_size,
    next_bundle,
    next_size,
    take_count,
)
from lightwork.pool.results import Arrivals, Bell, Results
from lightwork.pool.travel import StartCall, Started, Travel, sample_of, seconds_of

# So few items of an input of known length are all submitted at the call, like
# the standard library does: their results outlive a shutdown.
EAGER_ITEMS: Final = 1024


def map_calls(
    start_call: StartCall,
    fn: Callable[..., Any],
    iterables: Sequence[Iterable[Any]],
    options: MapOptions,
) -> Results[Any]:
    """Start to run `fn` with the zipped items; return an iterator over the results.

    Closing or dropping an iterator in use cancels what has not started; one that
    was never used leaves running what was submitted, as in the standard library,
    and warns if that was not everything. No result is kept once it was yielded; where
    they are numbers, once those of its chunk were.

    Raises:
        UsageError: A chunk size above 1 for a coroutine function or for a task with a
            time-out, memory cap or retries; an async generator function; `fn` cannot be called.
    """
    length = _known_length(iterables)
    if len(iterables) == 1:
        items = iter(iterables[0])
        return _start_map(start_call, fn, items, options, length=length, is_star=False)
    zipped = zip(*iterables, strict=False)
    return _start_map(start_call, fn, zipped, options, length=length, is_star=True)


def starmap_calls(
    start_call: StartCall,
    fn: Callable[..., Any],
    calls: Iterable[Iterable[Any]],
    options: MapOptions,
) -> Results[Any]:
    """Do the same with the arguments of each call as one item."""
    items = map(tuple, calls)
    return _start_map(start_call, fn, items, options, length=_known_length([calls]), is_star=True)


def _start_map(
    start_call: StartCall,
    fn: Callable[..., Any],
    items: Iterator[Any],
    options: MapOptions,
    *,
    length: int,
    is_star: bool,
) -> Results[Any]:
    policy, is_async = call_options(fn, "map"), is_coroutine_function(fn)
    chunksize = _allowed_chunksize(options.chunksize, policy, is_async=is_async)
    if is_async:
        options = replace(options, bundles=False, slots=async_slots(options.async_slots))
    if policy.timeout or policy.max_memory or policy.retries:
        options = replace(options, bundles=False)
    travel = Travel(start_call, fn, policy, is_star=is_star, kwargs=dict(options.kwargs or {}))
    running = _Map(travel, items, length, chunksize, options)
    chunks = running.chunks()
    # Submits, up to the first yield; a generator that never started could not
    # warn when it is dropped.
    next(chunks)
    # Not one by one through a generator: that took a third of what a tiny item costs.
    return Results(chain.from_iterable(chunks), chunks.close, running.open_async)


class _Split(NamedTuple):
    """Part of a bundle, which began with the item `origin`, was split."""

    origin: int
    split: Split


class _Map:
    """The state of one map; used by one thread, the one that uses its results.

    Invariant: `taken - yielded <= window`, and every taken item is in exactly
    one of: a chunk of `running`, a chunk of `ready`, or the list being yielded.
    """

    def __init__(
        self,
        travel: Travel,
        source: Iterator[Any],
        length: int,
        chunksize: int,
        options: MapOptions,
    ) -> None:
        self._travel = travel
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
        self._item_seconds = 0.0
        self._is_exhausted = False
        self._is_used = False
        # By serial number: the position of a chunk's first item.
        self._running: dict[int, MapChunk] = {}
        self._ready: dict[int, MapChunk] = {}
        # Serial numbers of finished chunks, put by the pool's threads. Not the
        # chunks: a future keeps its callbacks, and the cycle would keep results.
        self._news: Arrivals[int | _Split] = Arrivals()

    def chunks(self) -> Generator[Iterable[Any], None, None]:
        """Yield once when started, then the results of each chunk."""
        self._submit_more()
        try:
            yield ()
        except GeneratorExit:
            self._warn_if_unfinished()
            return
        values: list[Any] = []
        error: BaseException | None = None
        try:
            while (chunk := self._next_chunk()) is not None:
                size = chunk.size
                values, error = self._values(chunk)
                del chunk
                yield values if are_light(values) else _one_by_one(values)
                if error is not None:
                    raise error
                self._yielded += size
        finally:
            # The frame lives on in the traceback of an error: keep nothing.
            values.clear()
            error = None
            self._cancel()

    def open_async(self) -> AsyncGenerator[Any, None]:
        """Return what yields every result, waiting as a coroutine does."""
        # Now: the generator above may be dropped before this one runs.
        self._is_used = True
        return self._results_async()

    async def _results_async(self) -> AsyncGenerator[Any, None]:
        bell = Bell()
        self._news.wake = bell.ring
        values: list[Any] = []
        error: BaseException | None = None
        try:
            while (chunk := await self._next_chunk_async(bell)) is not None:
                size = chunk.size
                values, error = self._values(chunk)
                del chunk
                for value in _one_by_one(values):
                    yield value
                if error is not None:
                    raise error
                self._yielded += size
        finally:
            values.clear()
            error = None
            self._news.wake = None
            self._cancel()

    async def _next_chunk_async(self, bell: Bell) -> MapChunk | None:
        await bell.give_way()
        self._note_finished()
        self._submit_more()
        while self._running or self._ready:
            if (chunk := self._pop_ready()) is not None:
                return chunk
            try:
                await bell.wait(self._seconds_left())
            except TimeoutError:
                raise self._overdue() from None
            self._note_finished()
            self._submit_more()
        return None

    def _next_chunk(self) -> MapChunk | None:
        """Return the next finished chunk; None when all were."""
        self._note_finished()
        self._submit_more()
        while self._running or self._ready:
            if (chunk := self._pop_ready()) is not None:
                return chunk
            self._note(self._wait())
            self._note_finished()
            self._submit_more()
        return None

    def _pop_ready(self) -> MapChunk | None:
        if not self._options.ordered:
            return self._ready.pop(next(iter(self._ready), -1), None)
        # All before it was yielded: the next in order starts where they ended.
        return self._ready.pop(self._yielded, None)

    def _wait(self) -> int | _Split:
        try:
            return self._news.get(timeout=self._seconds_left())
        except queue.Empty:
            raise self._overdue() from None

    def _seconds_left(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - monotonic())

    def _overdue(self) -> TimeoutError:
        return TimeoutError(
            f"map: no result within {self._options.timeout} s of the call; "
            f"{self._yielded} results were yielded, {len(self._running)} calls are unfinished"
        )

    def _note_finished(self) -> None:
        while not self._news.empty():
            self._note(self._news.get())

    def _note(self, news: int | _Split) -> None:
        if isinstance(news, _Split):
            self._note_split(*news)
            return
        chunk = self._running.pop(news)
        self._ready[news] = chunk
        if chunk.error() is None:
            self._learn(chunk)

    def _note_split(self, origin: int, split: Split) -> None:
        chunk = self._running[origin + split.first]
        first = origin + split.at
        size = chunk.first + chunk.size - first
        chunk.size -= size
        self._watch(MapChunk(first, Started(split.future, size, chunk.open)))

    def _learn(self, chunk: MapChunk) -> None:
        result = chunk.future.result()
        seconds = seconds_of(result)
        if not seconds:
            return
        self._item_seconds = seconds / chunk.size
        if self._chunksize:
            self._size = next_bundle(self._size, chunk.size, seconds)
        else:
            self._size = next_size(self._size, chunk.size, seconds)
            self._learn_bytes(sample_of(result))

    def _submit_more(self) -> None:
        while not self._is_exhausted and (count := self._count_to_take()):
            items = list(islice(self._source, count))
            self._is_exhausted = len(items) < count
            if items:
                self._learn_bytes(items)
                self._submit(items)
        if self._is_exhausted:
            self._travel.close()

    def _count_to_take(self) -> int:
        window = self._options.buffersize or self._auto_window()
        is_fixed = self._chunksize > 1 or (self._chunksize and not self._options.bundles)
        size = (
            self._chunksize
            if is_fixed
            else limit_size(
                self._size,
                slots=self._slots,
                window=window,
                item_bytes=self._item_bytes,
                remaining=self._length - self._taken,
            )
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
        while items:
            first = self._taken
            try:
                started = self._start(items)
            except RuntimeError as error:
                error.add_note(
                    f"map had taken {first} items; it takes them as its results are used: "
                    "use the results before the executor is shut down"
                )
                raise
            self._taken += started.size
            self._watch(MapChunk(first, started))
            items = items[started.size :]

    def _start(self, items: list[Any]) -> Started:
        if self._options.bundles and (
            self._chunksize == 1 or (not self._chunksize and self._item_seconds > BUNDLE_SECONDS)
        ):
            first, news = self._taken, self._news
            return self._travel.bundle(items, lambda split: news.put(_Split(first, split)))
        if self._chunksize == 1:
            return self._travel.single(items)
        return self._travel.chunk(items)

    def _watch(self, chunk: MapChunk) -> None:
        first, news = chunk.first, self._news
        self._running[first] = chunk
        chunk.future.add_done_callback(lambda _: news.put(first))

    def _learn_bytes(self, values: Sequence[Any]) -> None:
        sample = values[:SAMPLE]
        size = sum(map(approximate_size, sample)) // len(sample)
        self._item_bytes = max(size, self._item_bytes // 2)

    def _values(self, chunk: MapChunk) -> tuple[list[Any], BaseException | None]:
        """Return what to yield for a chunk, and what to raise after that."""
        values, failures = chunk.opened()
        error: BaseException | None = None
        if failures and self._options.errors == "raise":
            guilty = min(failures)
            error = failures[guilty]
            del values[guilty:]
        else:
            for at, failure in failures.items():
                values[at] = failure
        return values, error

    def _warn_if_unfinished(self) -> None:
        if not (self._is_exhausted or self._is_used):
            warnings.warn(
                f"the results of a map were never used: only its first {self._taken} items run, "
                "because a map takes its items as its results are used; use the results "
                "(for _ in executor.map(...): pass) or submit each call",
                RuntimeWarning,
                stacklevel=3,
            )

    def _cancel(self) -> None:
        self._note_finished()
        # A call that runs is not run again for nobody.
        mode: CancelMode = "ask" if self._travel.has_retries else "no"
        for chunk in self._running.values():
            chunk.future.cancel(running=mode)
        self._running.clear()
        self._ready.clear()


def _allowed_chunksize(
    chunksize: int | Literal["auto"], policy: CallOptions, *, is_async: bool
) -> int:
    """Return the fixed size of chunks, or 0 for "auto"."""
    if is_async or policy.timeout or policy.max_memory or policy.retries:
        if chunksize not in {1, "auto"}:
            raise UsageError(
                "a coroutine function, or a task with a timeout, max_memory or retries, "
                "runs one item per call: "
                f'expected chunksize 1 or "auto"; seen: {chunksize!r}'
            )
        return 1
    return 0 if chunksize == "auto" else chunksize


def _known_length(iterables: Sequence[Iterable[Any]]) -> int:
    """Return how many items will come at most; sys.maxsize if that is not known."""
    lengths = (len(items) for items in iterables if isinstance(items, Sized))
    return min(lengths, default=sys.maxsize)


def _one_by_one(values: list[Any]) -> Iterator[Any]:
    # None is kept once it was yielded. They leave from the end, which is what lists are quick at.
    values.reverse()
    take = values.pop
    while values:
        yield take()
