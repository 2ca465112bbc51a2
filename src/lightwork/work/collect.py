"""Collect: yields results of futures as a map does: lazily, in order or as they come.

Two ways to wait, one collection: `results` blocks its thread, `results_async`
only its coroutine. What talks to the store then runs in a thread, one batch at
a time; the input itself is always taken by whoever iterates.
"""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import CancelledError, Future
from queue import Empty
from typing import Any, Generic, TypeVar

from lightwork.errors import JobCancelled
from lightwork.pool.map_options import MapOptions
from lightwork.pool.results import Arrivals, Bell, Results
from lightwork.work.unserved import PATIENCE

AnyFuture = Future[Any]
F = TypeVar("F", bound=AnyFuture)
Item = TypeVar("Item")


def collect(
    take: Callable[[int], list[Item]],
    submit: Callable[[list[Item]], list[F]],
    options: MapOptions,
    *,
    ahead: int,
    batch: int,
    abandon: Callable[[list[F]], None],
    remind: Callable[[F], None] = lambda _: None,
) -> Results[Any]:
    """Take and submit the first items; return an iterator over the results of all.

    Args:
        take: Returns at most so many more items; none: there are no more.
        submit: Makes them futures.
        options: Order, errors and deadline.
        ahead: How many futures may be unfinished or not yet yielded.
        batch: How many are taken at a time, where there is room for so many.
        abandon: Told at an early end which futures nobody will look at any more.
        remind: Given the first future that is waited for, every PATIENCE seconds in which
            none has come. One that blocks when it is asked reminds by itself.
    """
    collection = _Collection(
        take, submit, options, ahead=ahead, batch=batch, abandon=abandon, remind=remind
    )
    collection.fill()
    results = collection.results()
    return Results(results, results.close, collection.results_async)


class _Collection(Generic[Item, F]):
    """The state of one map; used by whoever iterates."""

    def __init__(
        self,
        take: Callable[[int], list[Item]],
        submit: Callable[[list[Item]], list[F]],
        options: MapOptions,
        *,
        ahead: int,
        batch: int,
        abandon: Callable[[list[F]], None],
        remind: Callable[[F], None],
    ) -> None:
        self._take = take
        self._submit = submit
        self._options = options
        self._ahead = ahead
        self._batch = min(batch, ahead)
        self._abandon = abandon
        self._remind = remind
        seconds = math.inf if options.timeout is None else options.timeout
        self._deadline = time.monotonic() + seconds
        # Futures in the order in which they are to be looked at.
        self._next: Arrivals[F] = Arrivals()
        self._held: dict[F, None] = {}
        self._is_over = False

    def fill(self) -> None:
        """Submit as many as there is room for."""
        while items := self._take_items():
            self._hold(self._submit(items))

    def results(self) -> Generator[Any, None, None]:
        """Yield each result; closed unused, it leaves running what was submitted."""
        try:
            while self._held:
                future = self._take_next()
                value = self._value(future)
                # Nothing here may keep a result that was yielded.
                del self._held[future], future
                yield value
                del value
                self.fill()
        finally:
            if unwanted := self._unwanted():
                self._abandon(unwanted)

    async def results_async(self) -> AsyncGenerator[Any, None]:
        """Do the same, waiting as a coroutine does."""
        bell = Bell()
        self._next.wake = bell.ring
        try:
            while self._held:
                await bell.give_way()
                while self._next.empty():
                    await self._wait(bell)
                future = self._next.get()
                future.add_done_callback(bell.ring)
                while not future.done():
                    await self._wait(bell)
                value = self._value(future)
                del self._held[future], future
                yield value
                del value
                while items := self._take_items():
                    self._hold(await asyncio.to_thread(self._submit, items))
        finally:
            self._next.wake = None
            if unwanted := self._unwanted():
                await asyncio.to_thread(self._abandon, unwanted)

    def _take_next(self) -> F:
        while True:
            left = self._left()
            try:
                return self._next.get(timeout=min(left, PATIENCE))
            except Empty:
                if left <= PATIENCE:
                    raise TimeoutError from None
                self._remind(next(iter(self._held)))

    async def _wait(self, bell: Bell) -> None:
        left = self._left()
        try:
            await bell.wait(min(left, PATIENCE))
        except TimeoutError:
            if left <= PATIENCE:
                raise
            await asyncio.to_thread(self._remind, next(iter(self._held)))

    def _take_items(self) -> list[Item]:
        if self._is_over or self._ahead - len(self._held) < self._batch:
            return []
        items = self._take(self._batch)
        self._is_over = not items
        return items

    def _hold(self, futures: list[F]) -> None:
        self._held.update(dict.fromkeys(futures))
        for future in futures:
            if self._options.ordered:
                self._next.put(future)
            else:
                # typeshed: the callback is given a Future, here always an F.
                future.add_done_callback(self._next.put)  # type: ignore[arg-type]

    def _value(self, future: F) -> Any:
        try:
            left = self._left()
            error = future.exception(timeout=None if left == math.inf else left)
        except CancelledError:
            job_id = str(getattr(future, "job_id", ""))
            error = JobCancelled("the job was cancelled", job_id=job_id)
        if error is None:
            return future.result()
        if self._options.errors == "return":
            return error
        raise error

    def _unwanted(self) -> list[F]:
        return [future for future in self._held if not future.done()]

    def _left(self) -> float:
        return max(self._deadline - time.monotonic(), 0.0)
