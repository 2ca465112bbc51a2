"""Collect: yields results of futures as a map does: lazily, in order or as they come.

Two ways to wait, one collection: `results` blocks its thread, `results_async`
only its coroutine. What talks to the store then runs in a thread, one batch at
a time; the input itself is always taken by whoever iterates.
"""

import asyncio
import math
import time
import weakref
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import CancelledError, Future
from contextlib import AbstractContextManager, nullcontext
from queue import Empty
from typing import Any, Generic, TypeVar

from lightwork.errors import JobCancelled
from lightwork.pool.map.async_wakeup import AsyncWakeup
from lightwork.pool.map.options import MapOptions
from lightwork.pool.map.results import Arrivals, Results
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
    abandon_soon: Callable[[list[F]], None],
    remind: Callable[[F], None] = lambda _: None,
    waited_for: Callable[[F], AbstractContextManager[None]] = lambda _: nullcontext(),
    note_read: Callable[[], None] = lambda: None,
    check_running: Callable[[], None] = lambda: None,
    name: str = "a map",
) -> tuple[Results[Any], Callable[[], object]]:
    """Take and submit the first items; return an iterator over the results of all.

    Also returned is what submits all others that there are, whether there is room or not;
    it does nothing, and keeps nothing, when nobody can read the results any more.

    Args:
        take: Returns at most so many more items; none: there are no more.
        submit: Makes them futures.
        options: Order, errors and deadline.
        ahead: How many futures may be unfinished or not yet yielded.
        batch: How many are taken at a time, where there is room for so many.
        abandon: Told at an early end which futures nobody will look at any more.
        abandon_soon: The same, but returns at once: by the collector in the middle of anything.
        remind: Given the first future that is waited for, every PATIENCE seconds in which
            none has come. One that blocks when it is asked reminds by itself.
        waited_for: Entered while one is waited for; one that blocks does that by itself.
        note_read: Told when somebody begins to read, or says that nobody will.
        check_running: Asked before waiting; raises if nothing can come any more.
        name: Of the task, as people read it.
    """
    collection = _Collection(
        take, submit, options, ahead=ahead, batch=batch, abandon=abandon, abandon_soon=abandon_soon
    )
    collection.remind, collection.waited_for = remind, waited_for
    collection.note_read, collection.check_running = note_read, check_running
    collection.fill()
    results = collection.results()
    kept = weakref.WeakMethod(collection.submit_rest)

    def submit_rest() -> None:
        if (submit := kept()) is not None:
            submit()

    return (
        Results(results, lambda: collection.close(results), collection.results_async, name),
        submit_rest,
    )


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
        abandon_soon: Callable[[list[F]], None],
    ) -> None:
        self._take = take
        self._submit = submit
        self._options = options
        self._ahead = ahead
        self._batch = min(batch, ahead)
        self._abandon = abandon
        self._abandon_soon = abandon_soon
        seconds = math.inf if options.timeout is None else options.timeout
        self._deadline = time.monotonic() + seconds
        # Futures in the order in which they are to be looked at.
        self._next: Arrivals[F] = Arrivals()
        self._held: dict[F, None] = {}
        self._is_over = False
        self.remind: Callable[[F], None] = lambda _: None
        self.waited_for: Callable[[F], AbstractContextManager[None]] = lambda _: nullcontext()
        self.note_read: Callable[[], None] = lambda: None
        self.check_running: Callable[[], None] = lambda: None

    def submit_rest(self) -> None:
        """Submit all that is left; its futures are kept until they are read."""
        while items := self._take(self._batch):
            self._hold(self._submit(items))
        self._is_over = True

    def close(self, results: Generator[Any, None, None]) -> None:
        """End it, whether anything was read or not."""
        self.note_read()
        unwanted = self._take_unwanted()
        results.close()
        if unwanted:
            self._abandon(unwanted)

    def fill(self) -> None:
        """Submit as many as there is room for."""
        while items := self._take_items():
            self._hold(self._submit(items))

    def results(self) -> Generator[Any, None, None]:
        """Yield each result; dropped unused, it leaves running what was submitted."""
        self.note_read()
        try:
            while self._held:
                self._check_arriving()
                future = self._take_next()
                values = [self._value(future)]
                # Nothing here may keep a result that was yielded, also while its reader has it.
                del self._held[future], future
                yield values.pop()
                self.fill()
        finally:
            if unwanted := self._take_unwanted():
                self._abandon_soon(unwanted)

    async def results_async(self) -> AsyncGenerator[Any, None]:
        """Do the same, waiting as a coroutine does."""
        self.note_read()
        wakeup = AsyncWakeup()
        self._next.wake = wakeup.ring
        try:
            while self._held:
                await wakeup.give_way()
                self._check_arriving()
                while self._next.empty():
                    await self._wait(wakeup, next(iter(self._held)))
                future = self._next.get()
                future.add_done_callback(wakeup.ring)
                while not future.done():
                    await self._wait(wakeup, future)
                values = [self._value(future)]
                del self._held[future], future
                yield values.pop()
                while items := self._take_items():
                    self._hold(await asyncio.to_thread(self._submit, items))
        finally:
            self._next.wake = None
            if unwanted := self._take_unwanted():
                await asyncio.to_thread(self._abandon, unwanted)

    def _take_next(self) -> F:
        while True:
            left = self._left()
            try:
                with self._waited_for_next():
                    return self._next.get(timeout=min(left, PATIENCE))
            except Empty:
                if left <= PATIENCE:
                    raise TimeoutError from None
                self.remind(next(iter(self._held)))

    def _waited_for_next(self) -> AbstractContextManager[None]:
        return self.waited_for(next(iter(self._held))) if self._next.empty() else nullcontext()

    async def _wait(self, wakeup: AsyncWakeup, future: F) -> None:
        left = self._left()
        try:
            with self.waited_for(future):
                await wakeup.wait(min(left, PATIENCE))
        except TimeoutError:
            if left <= PATIENCE:
                raise
            await asyncio.to_thread(self.remind, next(iter(self._held)))

    def _check_arriving(self) -> None:
        ordered = self._options.ordered
        if not next(iter(self._held)).done() if ordered else self._next.empty():
            self.check_running()

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
        except JobCancelled as cancelled:
            error = cancelled
        except CancelledError:
            job_id = str(getattr(future, "job_id", ""))
            error = JobCancelled("the job was cancelled", job_id=job_id)
        if error is None:
            return future.result()
        if self._options.errors == "return":
            return error
        raise error

    def _take_unwanted(self) -> list[F]:
        held, self._held = self._held, {}
        return [future for future in held if not future.done()]

    def _left(self) -> float:
        return max(self._deadline - time.monotonic(), 0.0)
