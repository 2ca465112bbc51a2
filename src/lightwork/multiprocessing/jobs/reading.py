"""Job reading: the results of a map whose items are jobs, on workers that share a store.

An input that has a length is kept as jobs at the call. Of any other so many are kept ahead as
AHEAD, and more as results are read.
"""

import itertools
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, Final

from lightwork.durable.executor import DurableExecutor
from lightwork.multiprocessing.readings import Batch, Guarded
from lightwork.multiprocessing.timeouts import TimeoutError as NotInTime

AHEAD: Final = 1000


class JobReading:
    """A map on workers; see Reading.

    Args:
        executor: Keeps its jobs.
        fn: The task that each job calls.
        items: As the user gave them.
        is_star: Each item is a tuple of arguments.
        ordered: False: results as they come.
        note: Called with the futures of jobs that were kept.
    """

    def __init__(
        self,
        executor: DurableExecutor,
        fn: Callable[..., Any],
        items: Iterable[Any],
        *,
        is_star: bool,
        ordered: bool,
        note: Callable[[list[Any]], None],
    ) -> None:
        self.is_whole = hasattr(items, "__len__")
        self._executor = executor
        self._fn = fn
        self._is_ordered = ordered
        self._note = note
        self._source = Guarded(items)
        self._calls: Iterator[tuple[Any, ...]]
        self._calls = map(tuple, self._source) if is_star else zip(self._source, strict=True)
        self._is_exhausted = False
        # Not read yet: in the order of their items, and as they ended.
        self._waiting: deque[Future[Any]] = deque()
        self._ended: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        # Guards what follows.
        self._lock = threading.Lock()
        self._unfinished = 0
        self._on_over: Callable[[], None] | None = None
        self._keep()
        while self.is_whole and not self._is_exhausted:
            self._keep()

    def _keep(self) -> None:
        """Keep the next jobs."""
        calls = list(itertools.islice(self._calls, AHEAD))
        self._is_exhausted = len(calls) < AHEAD
        if not calls:
            return
        futures = self._executor.submit_many(self._fn, calls)
        self._note(futures)
        with self._lock:
            self._unfinished += len(futures)
        self._waiting.extend(futures)
        for future in futures:
            future.add_done_callback(self._note_ended)

    def _note_ended(self, future: Future[Any]) -> None:
        self._ended.put(future)
        with self._lock:
            self._unfinished -= 1
            tell = self._on_over if self.is_over() else None
            if tell is not None:
                self._on_over = None
        if tell is not None:
            tell()

    def next_batch(self, timeout: float | None) -> Batch | None:
        """See Reading."""
        if not self._is_exhausted and len(self._waiting) < AHEAD:
            self._keep()
        if not self._waiting:
            if self._source.failure is not None:
                raise self._source.failure
            return None
        return _opened(self._next(timeout))

    def _next(self, timeout: float | None) -> Future[Any]:
        if self._is_ordered:
            with suppress(TimeoutError, CancelledError):
                self._waiting[0].exception(timeout)
            if not self._waiting[0].done():
                raise NotInTime
            return self._waiting.popleft()
        try:
            future = self._ended.get(timeout=timeout)
        except queue.Empty:
            raise NotInTime from None
        # Only how many are left counts then.
        self._waiting.popleft()
        return future

    def is_over(self) -> bool:
        """See Reading."""
        return self._is_exhausted and not self._unfinished

    def when_over(self, fn: Callable[[], None]) -> None:
        """See Reading; called in the thread that hears of ends."""
        with self._lock:
            is_over = self.is_over()
            if not is_over:
                self._on_over = fn
        if is_over:
            fn()


def _opened(future: Future[Any]) -> Batch:
    try:
        error = future.exception()
    except CancelledError as cancelled:
        error = cancelled
    return ([future.result()], {}) if error is None else ([None], {0: error})
