"""Results: what `map` returns: for `for` and for `async for`.

An event loop must not be blocked, and a thread that waits for it would cost more
than most items. So the two ways differ only in how they wait: `for` in a queue
that the pool's threads fill (Arrivals), `async for` for a bell that the same
queue rings in the event loop. Everything else of a map is the same code, run by
whoever iterates, and its input is taken in that thread.

`iter()` hands out the iterator behind it: a class in between would cost a third
of what an item of a map costs.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import suppress
from queue import SimpleQueue
from time import monotonic
from typing import Final, Generic, Self, TypeVar

from lightwork.errors import UsageError

T = TypeVar("T")

# So long results that are there already may keep an event loop from doing other things.
_TURN_SECONDS: Final = 0.005


class Results(Iterator[T], AsyncIterator[T]):
    """Results of a map; used with `for` or with `async for`, not both.

    Closing it (`close`, `aclose`), or dropping it in use, cancels what has not begun.
    """

    def __init__(
        self,
        results: Iterator[T],
        close: Callable[[], None],
        open_async: Callable[[], AsyncGenerator[T, None]],
        name: str,
    ) -> None:
        # Of the function that is mapped.
        self.name = name
        self._results = results
        self._close = close
        self._open_async = open_async
        self._is_used = False
        self._arriving: AsyncGenerator[T, None] | None = None

    def __repr__(self) -> str:
        return f"<Results of {self.name}>"

    def __iter__(self) -> Iterator[T]:  # noqa: PYI034 - see above
        self._begin_sync()
        return self._results

    def __next__(self) -> T:
        self._begin_sync()
        return next(self._results)

    def close(self) -> None:
        """End it: cancel what has not begun."""
        self._close()
        # What is left of a chunk in there is not wanted either.
        self._results = iter(())

    def __aiter__(self) -> AsyncIterator[T]:  # noqa: PYI034 - as for __iter__
        return self.arriving()

    async def __anext__(self) -> T:
        return await anext(self.arriving())

    async def aclose(self) -> None:
        """Do the same for a coroutine."""
        if self._is_used:
            self.close()
        else:
            await self.arriving().aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        await self.aclose()

    def arriving(self) -> AsyncGenerator[T, None]:
        """Return the generator behind `async for`.

        Raises:
            UsageError: These are used with `for`.
        """
        if self._is_used:
            raise UsageError("these results are used with `for`; call map again for `async for`")
        if self._arriving is None:
            self._arriving = self._open_async()
        return self._arriving

    def _begin_sync(self) -> None:
        if self._arriving is not None:
            raise UsageError("these results are used with `async for`; call map again for `for`")
        self._is_used = True


class Arrivals(SimpleQueue[T], Generic[T]):
    """A queue that any thread fills; whoever waits elsewhere is told by `wake`."""

    wake: Callable[[], None] | None = None

    def put(self, item: T, block: bool = True, timeout: float | None = None) -> None:  # noqa: FBT001, FBT002 - the standard library's signature
        """Add an item; may be called by a finalizer in the middle of anything."""
        super().put(item, block, timeout)
        if self.wake is not None:
            self.wake()


class Bell:
    """Lets a coroutine wait for what threads do."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        # Rung and not heard: one call into the event loop is enough.
        self._is_rung = False
        self._turn_began = monotonic()

    def ring(self, _: object = None) -> None:
        """End the wait; any thread may call this."""
        if not self._is_rung:
            self._is_rung = True
            with suppress(RuntimeError):  # The loop is closed: nobody waits any more.
                self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float | None = None) -> None:
        """Return when it was rung since the last time.

        Raises:
            TimeoutError: It was not.
        """
        async with asyncio.timeout(seconds):
            await self._event.wait()
        # First: who rings from now on has done more than will be seen now.
        self._event.clear()
        self._is_rung = False
        self._turn_began = monotonic()

    async def give_way(self) -> None:
        """Let the event loop do other things, if it is time to."""
        if monotonic() - self._turn_began > _TURN_SECONDS:
            await asyncio.sleep(0)
            self._turn_began = monotonic()
