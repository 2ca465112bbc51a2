"""Results: what `map` returns: for `for` and for `async for`.

An event loop must not be blocked, and a thread that waits for it would cost more
than most items. So the two ways differ only in how they wait: `for` in a queue
that the pool's threads fill (Arrivals), `async for` for a wake-up that the same
queue rings in the event loop. Everything else of a map is the same code, run by
whoever iterates, and its input is taken in that thread.

`iter()` hands out the iterator behind it: a class in between would cost a third
of what an item of a map costs.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from queue import SimpleQueue
from typing import Generic, Self, TypeVar

from lightwork.errors import UsageError

T = TypeVar("T")


class Results(Iterator[T], AsyncIterator[T]):
    """Results of a map; used with `for` or with `async for`, not both.

    Closing it (`close`, `aclose`), or dropping it in use, cancels what has not begun.
    """

    __module__ = "lightwork"

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
        if not self._is_used:
            await self.arriving().aclose()
        # A generator that has not begun does nothing when it is closed.
        self.close()

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
