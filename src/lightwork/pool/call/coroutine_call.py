"""Coroutine call: one coroutine call on an event loop, from its beginning to its one end.

Used by the loop of a child (child/event_loop.py) and by that of a thread executor
(thread/event_loop.py), always in the thread of the loop.

Ends exactly once, with the first of these:

    the coroutine returned or raised       even SystemExit: it costs this call only
    it was cancelled, or its time was over, and has wound down
    it did not wind down within GRACE      it runs on, and nobody waits for it

To cancel is to raise CancelledError where the coroutine waits. One that catches
it and goes on cannot be ended without ending its neighbours.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from lightwork.error_text import leave_out_own_frames
from lightwork.pool.call.coroutine_function import GRACE, late_error
from lightwork.pool.call.current import Current, enter

AsyncFunction = Callable[..., Coroutine[Any, Any, Any]]


class CoroutineCall:
    """One coroutine call.

    Args:
        current: What `current()` returns inside of it.
        end: Called once with its value and None, or with None and its error, which is
            asyncio.CancelledError when it was cancelled. Must not raise.
    """

    __slots__ = ("_current", "_end", "_is_ended", "_late", "_stopping", "_task", "_timer")

    def __init__(
        self, current: Current, end: Callable[[object, BaseException | None], object]
    ) -> None:
        self._current = current
        self._end = end
        self._is_ended = False
        self._stopping = False
        self._late: TimeoutError | None = None
        self._task: asyncio.Task[None]
        self._timer: asyncio.TimerHandle | None = None

    def begin(
        self,
        loop: asyncio.AbstractEventLoop,
        fn: AsyncFunction,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        timeout: float,
    ) -> None:
        """Have the loop run it, for so many seconds (0: no limit)."""
        # Held here: the loop itself keeps its tasks weakly.
        self._task = loop.create_task(self._run(fn, args, kwargs))
        if timeout:
            self._timer = loop.call_later(timeout, self._expire, fn, timeout)

    @property
    def is_late(self) -> bool:
        """Whether its time was over."""
        return self._late is not None

    def cancel(self) -> None:
        """Cancel it; again has no effect."""
        if self._is_ended or self._stopping:
            return
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
        # Cancelled before its first step, nothing of `_run` is run.
        self._task.add_done_callback(lambda _: self._finish(None, asyncio.CancelledError()))
        self._task.cancel()
        loop = self._task.get_loop()
        self._timer = loop.call_later(GRACE, self._finish, None, asyncio.CancelledError())

    async def _run(self, fn: AsyncFunction, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        # In the task's own context: it ends with the task.
        enter(self._current)
        try:
            value = await fn(*args, **kwargs)
        except BaseException as error:
            # An asyncio loop would end with a SystemExit or KeyboardInterrupt.
            leave_out_own_frames(error)
            self._finish(None, error)
        else:
            self._finish(value, None)
        finally:
            # The error's traceback holds this frame.
            del self, fn, args, kwargs

    def _expire(self, fn: AsyncFunction, timeout: float) -> None:
        name = getattr(fn, "__qualname__", type(fn).__qualname__)
        self._late = late_error(name, timeout)
        self.cancel()

    def _finish(self, value: object, error: BaseException | None) -> None:
        if self._is_ended:
            return
        self._is_ended = True
        if self._timer is not None:
            self._timer.cancel()
        if self._late is not None:
            if not was_cancelled(error):
                self._late.__cause__ = error
            value, error = None, self._late
        try:
            self._end(value, error)
        finally:
            del self, error


def was_cancelled(error: BaseException | None) -> bool:
    """Whether this is how a coroutine ends that was cancelled."""
    # Its type: an exception of the user may claim any class, or raise when asked for it.
    return issubclass(type(error), asyncio.CancelledError)


def wind_down(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what still runs on a loop that was stopped, wait GRACE for it, and close the loop."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        # What a task raises is nobody's business any more.
        with contextlib.suppress(BaseException):
            loop.run_until_complete(_wait_a_while(tasks))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


async def _wait_a_while(tasks: Iterable[asyncio.Task[Any]]) -> None:
    await asyncio.wait(tasks, timeout=GRACE)
