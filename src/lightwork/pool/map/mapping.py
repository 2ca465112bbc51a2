"""Mapping: `Executor.map` over every executor, in chunks: the side that reads.

Work starts at the call, before the first `next()`; feed.py says how items become
calls, and who takes them when. Two kinds of maps (inputs.py):

- *whole*: the input has a length and nobody gave a `buffersize`. It was copied at the
  call and runs to its end, read or not; results wait until they are read, also after
  the executor's end. As in the standard library.
- *lazy*: anything else. Items are taken from the input only in the thread that calls
  `map` and `next()`: an input with thread affinity (a database cursor, a generator)
  stays in its thread, and may be endless.

Three numbers bound what is under way, each decided by a pure function of batch_size.py:

- *chunk size*: `next_size` aims at chunks of 20 to 50 ms by the time that the
  items of finished chunks ran (measured where they ran, so a slow caller does
  not look like slow items); `limit_size` keeps a chunk small in bytes, within
  the window, and small near the end of an input whose length is known.
  With a chunk size of 1, `next_bundle` decides how many single items travel together.
  Before any was measured, one trial or bundle for each slot says how the others go.
- *calls in flight*: `calls_in_flight` keeps every slot busy with at least two, and with more
  where they are short and the chunk size is the user's.
- *window*: `buffersize`, or `auto_window` when it is None.

How items travel (batcher.py): with a chunk size of 1 each is a call of its own,
and short ones travel in bundles; with "auto" the first go on trial (trial.py; in a bundle, if they are no
plain values), those of more than 20 us in bundles (BUNDLE_SECONDS), and shorter ones as chunks.

Failures. One failing item fails only itself. When a child dies that runs a chunk,
nobody knows which item did it and the results of its neighbours died with it.
Running them again would be a silent re-run, which a local pool never does. So
every item of that chunk fails with WorkerLost, which names the chunk; a bundle
makes the blame exact, so `chunksize=1` does; on trial the items are lost that had begun together. A task with a time-out, a memory cap or
retries always runs one item per call, since these policies are promises about one
call: an item that is run again takes no neighbour with it.

A failure of the chunk itself (its arguments or results cannot be pickled, it
was cancelled) also belongs to every item of it.
"""

import queue
import warnings
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from lightwork.clock import monotonic
from lightwork.errors import UsageError
from lightwork.pool.call.coroutine_function import is_coroutine_function
from lightwork.pool.call.options import CallOptions, call_options
from lightwork.pool.map.batch_size import are_light, async_slots
from lightwork.pool.map.batcher import Batcher, StartCall
from lightwork.pool.map.feed import Feed
from lightwork.pool.map.inputs import Inputs
from lightwork.pool.map.open_maps import OpenMaps, unread_text
from lightwork.pool.map.options import MapOptions
from lightwork.pool.map.pending_batch import PendingBatch
from lightwork.pool.map.results import Results
from lightwork.pool.wire.display_name import name_of

if TYPE_CHECKING:
    from lightwork.pool.map.async_wakeup import AsyncWakeup


def map_calls(
    start_call: StartCall,
    fn: Callable[..., Any],
    inputs: Inputs,
    options: MapOptions,
    maps: OpenMaps,
) -> Results[Any]:
    """Start to run `fn` with the items; return an iterator over the results.

    Closing an iterator, or dropping one in use, cancels what has not started. One that
    was dropped before it was used leaves running what was to be run, as in the standard
    library; for a lazy input it warns if that was not everything. No result is kept once
    it was yielded; where they are numbers, once those of its chunk were.

    Raises:
        UsageError: A chunk size above 1 for a coroutine function or for a task with a
            time-out, memory cap or retries; an async generator function; `fn` cannot be called.
    """
    running = _Map(open_feed(start_call, fn, inputs, options, maps), options, maps)
    try:
        running.start()
        batches = running.batches()
        # Up to the first yield; a generator that never started could not say that it is dropped.
        next(batches)
        # Not one by one through a generator: that took a third of what a tiny item costs.
        opened = chain.from_iterable(batches)
        return Results(opened, lambda: running.close(batches), running.open_async, name_of(fn))
    except BaseException:
        # Nobody has it: perhaps a Ctrl-C.
        running.abandon()
        raise


def open_feed(
    start_call: StartCall,
    fn: Callable[..., Any],
    inputs: Inputs,
    options: MapOptions,
    maps: OpenMaps,
) -> Feed:
    """Return what starts the calls of a map, before it has started any; raises as map_calls does."""
    policy, is_async = call_options(fn, "map"), is_coroutine_function(fn)
    if policy.after:
        raise UsageError(
            "a map here waits for no futures (after=): submit each call, or map when they are done"
        )
    if options.on_progress is not None:
        policy = policy._replace(on_progress=options.on_progress)
    chunksize = _allowed_chunksize(options.chunksize, policy, is_async=is_async)
    if is_async:
        options = replace(options, bundles=False, slots=async_slots(options.async_slots))
    if _is_single(policy):
        options = replace(options, bundles=False)
    kwargs = dict(options.kwargs or {})
    batcher = Batcher(start_call, fn, policy, is_star=inputs.is_star, kwargs=kwargs)
    return Feed(batcher, inputs, chunksize, options, maps)


class _Map:
    """The results of one map; used by one thread, the one that reads them."""

    def __init__(self, feed: Feed, options: MapOptions, maps: OpenMaps) -> None:
        self._feed = feed
        self._options = options
        self._deadline = None if options.timeout is None else monotonic() + options.timeout
        self._is_used = False
        self._is_async = False
        self._maps = maps
        # Stands for this map where it is remembered that nobody has read it.
        self._token = object()

    def start(self) -> None:
        """Start the first calls.

        Raises:
            Exception: What the input or the executor raised.
        """
        if self._feed.is_whole:
            self._maps.add(self._feed)
        self._feed.advance()
        if self._feed.failure is not None and not self._feed.taken:
            raise self._feed.failure
        if not (self._feed.is_whole or self._feed.is_exhausted):
            self._maps.note_unread(self._token, self._feed.taken)

    def abandon(self) -> None:
        """Let it be as if it had never been started; nobody can read it."""
        self._feed.cancel()
        self._note_used()

    def close(self, batches: Generator[Iterable[Any], None, None]) -> None:
        """Cancel what has not begun, whether results were used or not."""
        self._note_used()
        batches.close()
        self._feed.cancel()

    def batches(self) -> Generator[Iterable[Any], None, None]:
        """Yield once when started, then the results of each batch."""
        try:
            yield ()
        except GeneratorExit:
            self._note_dropped()
            return
        self._note_used()
        values: list[Any] = []
        error: BaseException | None = None
        try:
            while (batch := self._next_batch()) is not None:
                size = batch.size
                values, error = self._values(batch)
                del batch
                yield values if are_light(values) else _one_by_one(values)
                if error is not None:
                    raise error
                self._feed.yielded += size
            self._check_whole()
        finally:
            # The frame lives on in the traceback of an error: keep nothing.
            values.clear()
            error = None
            self._feed.cancel()

    def open_async(self) -> AsyncGenerator[Any, None]:
        """Return what yields every result, waiting as a coroutine does."""
        # Now: the generator above may be dropped before this one runs.
        self._is_async = True
        self._note_used()
        return self._results_async()

    async def _results_async(self) -> AsyncGenerator[Any, None]:
        # asyncio, which whoever awaits has paid already.
        from lightwork.pool.map.async_wakeup import AsyncWakeup  # noqa: PLC0415 - see above

        wakeup = AsyncWakeup()
        self._feed.news.wake = wakeup.ring
        values: list[Any] = []
        error: BaseException | None = None
        try:
            while (batch := await self._next_batch_async(wakeup)) is not None:
                size = batch.size
                values, error = self._values(batch)
                del batch
                for value in _one_by_one(values):
                    yield value
                if error is not None:
                    raise error
                self._feed.yielded += size
            self._check_whole()
        finally:
            values.clear()
            error = None
            self._feed.news.wake = None
            self._feed.cancel()

    async def _next_batch_async(self, wakeup: "AsyncWakeup") -> PendingBatch | None:
        await wakeup.give_way()
        self._take_more()
        while self._feed.has_more():
            is_last_look = not self._feed.is_under_way()
            if (batch := self._pop_ready()) is not None:
                return batch
            if is_last_look:
                break
            try:
                await wakeup.wait(self._seconds_left())
            except TimeoutError:
                raise self._overdue() from None
            self._drop_news()
            self._take_more()
        return None

    def _next_batch(self) -> PendingBatch | None:
        """Return the next finished batch; None when all were."""
        self._take_more()
        while self._feed.has_more():
            # Asked first: nothing can come between and be overlooked.
            is_last_look = not self._feed.is_under_way()
            if (batch := self._pop_ready()) is not None:
                return batch
            if is_last_look:
                break
            self._wait()
            self._take_more()
        return None

    def _wait(self) -> None:
        try:
            self._feed.news.get(timeout=self._seconds_left())
        except queue.Empty:
            raise self._overdue() from None
        self._drop_news()

    def _drop_news(self) -> None:
        # What they are about is seen at the next look.
        while not self._feed.news.empty():
            self._feed.news.get()

    def _take_more(self) -> None:
        # A map that runs whole goes on by itself.
        if not self._feed.is_whole:
            self._feed.advance()

    def _pop_ready(self) -> PendingBatch | None:
        feed = self._feed
        if not self._options.ordered:
            return feed.ready.pop(feed.arrived.popleft()) if feed.arrived else None
        # All before it was yielded: the next in order starts where they ended.
        return feed.ready.pop(feed.yielded, None)

    def _seconds_left(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - monotonic())

    def _overdue(self) -> TimeoutError:
        return TimeoutError(
            f"map: no result within {self._options.timeout} s of the call; {self._feed.yielded} "
            f"results were yielded, {self._feed.calls_unfinished} calls are unfinished"
        )

    def _values(self, batch: PendingBatch) -> tuple[list[Any], BaseException | None]:
        """Return what to yield for a batch, and what to raise after that."""
        values, failures = batch.opened()
        error: BaseException | None = None
        if failures and self._options.errors == "raise":
            guilty = min(failures)
            error = failures[guilty]
            del values[guilty:]
        else:
            for at, failure in failures.items():
                values[at] = failure
        return values, error

    def _check_whole(self) -> None:
        """Raise if anything is missing: no map ends short in silence.

        Raises:
            BaseException: Why items were not started.
            RuntimeError: Results were lost by a mistake of this package.
        """
        if self._feed.failure is not None:
            raise self._feed.failure
        if self._feed.yielded != self._feed.expected:
            raise RuntimeError(
                f"map lost results: {self._feed.yielded} were yielded of {self._feed.expected} items; "
                "please report this as a bug of lightwork"
            )

    def _note_used(self) -> None:
        self._is_used = True
        self._maps.note_read(self._token)

    def _note_dropped(self) -> None:
        """Nobody can read what nobody has begun to read."""
        if self._is_used:
            # Closed, or read by `async for`, which ends it itself.
            if not self._is_async:
                self._feed.cancel()
        elif self._feed.is_whole:
            self._feed.forget_results()
        elif not self._feed.is_exhausted:
            warnings.warn(unread_text(self._feed.taken), RuntimeWarning, stacklevel=4)


def _allowed_chunksize(
    chunksize: int | Literal["auto"], policy: CallOptions, *, is_async: bool
) -> int:
    """Return the fixed size of chunks, or 0 for "auto"."""
    if is_async or _is_single(policy):
        if chunksize not in {1, "auto"}:
            raise UsageError(
                "a coroutine function, or a task with a timeout, max_memory, retries or on_progress, "
                "runs one item per call: "
                f'expected chunksize 1 or "auto"; seen: {chunksize!r}'
            )
        return 1
    return 0 if chunksize == "auto" else chunksize


def _is_single(policy: CallOptions) -> bool:
    """Whether what is asked for is a promise about one call, so that no item shares one."""
    return bool(policy.timeout or policy.max_memory or policy.retries or policy.on_progress)


def _one_by_one(values: list[Any]) -> Iterator[Any]:
    # None is kept once it was yielded. They leave from the end, which is what lists are quick at.
    values.reverse()
    take = values.pop
    while values:
        yield take()
