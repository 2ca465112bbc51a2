"""Readings: the results of one map as they come, batch by batch, for whoever has asked a pool for it.

A pool of this machine reads a Feed (pool/map), a pool on workers elsewhere the futures of jobs
(jobs/reading.py). Neither has a thread: calls are started by whoever has ended one, or reads.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from lightwork.clock import monotonic
from lightwork.multiprocessing.timeouts import TimeoutError as NotInTime
from lightwork.pool.executor.executor import Executor
from lightwork.pool.map.feed import Feed
from lightwork.pool.map.inputs import take_calls, take_inputs
from lightwork.pool.map.mapping import open_feed
from lightwork.pool.map.options import MapOptions
from lightwork.pool.map.pending_batch import PendingBatch

# What some items gave, and by position among them the exceptions of those that failed.
Batch = tuple[list[Any], dict[int, BaseException]]


class Reading(Protocol):
    """The results of one map; read by one thread at a time."""

    # Whether all calls are started without anybody reading.
    is_whole: bool

    def next_batch(self, timeout: float | None) -> Batch | None:
        """Return the next results; None: those were all.

        Raises:
            TimeoutError: There are none within so many seconds.
            BaseException: Why the others will not be run.
        """

    def is_over(self) -> bool:
        """Whether every call has ended, read or not."""

    def when_over(self, fn: Callable[[], None]) -> None:
        """Call it once, when every call has ended; perhaps now."""


class FeedReading:
    """A map on threads or processes of this program.

    Args:
        executor: Runs it.
        fn: Called with each item.
        items: As the user gave them; with a length they are copied now and run whole.
        chunksize: Items per call; None: by their duration.
        is_star: Each item is a tuple of arguments.
        ordered: False: results as they come.
        at_once: Whoever reads them wants all of them.
    """

    def __init__(
        self,
        executor: Executor,
        fn: Callable[..., Any],
        items: Iterable[Any],
        *,
        chunksize: int | None,
        is_star: bool = False,
        ordered: bool = True,
        at_once: bool = False,
    ) -> None:
        options = MapOptions(
            chunksize="auto" if chunksize is None else chunksize,
            ordered=ordered,
            slots=executor._max_workers,
            async_slots=executor._async_slots,
            bundles=executor.has_bundles,
            maps_ahead=executor._maps_ahead,
            at_once=at_once,
        )
        take = take_calls if is_star else take_inputs
        inputs = take((items,), is_lazy=False)
        self.is_whole = inputs.is_whole
        self._source = Guarded(inputs.items)
        if not inputs.is_whole:
            inputs = inputs._replace(items=iter(self._source))
        maps = executor._maps()
        self._feed: Feed = open_feed(executor.start_call, fn, inputs, options, maps)
        self._is_ordered = ordered
        if self.is_whole:
            maps.add(self._feed)
        self._feed.advance()

    def next_batch(self, timeout: float | None) -> Batch | None:
        """See Reading."""
        feed = self._feed
        deadline = None if timeout is None else monotonic() + timeout
        self._take_more()
        while feed.has_more():
            # Asked first: nothing can come between and be overlooked.
            is_last_look = not feed.is_under_way()
            if (batch := self._pop()) is not None:
                feed.yielded += batch.size
                return batch.opened()
            if is_last_look:
                break
            self._wait(deadline)
            self._take_more()
        if (failure := feed.failure or self._source.failure) is not None:
            raise failure
        return None

    def _wait(self, deadline: float | None) -> None:
        news = self._feed.news
        left = None if deadline is None else max(deadline - monotonic(), 0.0)
        try:
            news.get(timeout=left)
        except queue.Empty:
            raise NotInTime from None
        while not news.empty():
            news.get()

    def _take_more(self) -> None:
        if not self.is_whole:
            self._feed.advance()

    def _pop(self) -> PendingBatch | None:
        feed = self._feed
        if not self._is_ordered:
            return feed.ready.pop(feed.arrived.popleft()) if feed.arrived else None
        return feed.ready.pop(feed.yielded, None)

    def is_over(self) -> bool:
        """See Reading."""
        return not self._feed.is_under_way()

    def when_over(self, fn: Callable[[], None]) -> None:
        """See Reading; called in the thread in which the last call ended."""
        turn = threading.Lock()

        def look() -> None:
            # Kept from then on: it is called once.
            if self.is_over() and turn.acquire(blocking=False):
                self._feed.news.wake = None
                fn()

        self._feed.news.wake = look
        look()


class Guarded:
    """An input whose own error comes behind the results of the items before it."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = items
        self.failure: Exception | None = None

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._items
        except Exception as error:  # The user's, for who reads.
            self.failure = error
