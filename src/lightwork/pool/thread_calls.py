"""Thread calls: what a pool of threads and its threads share: the calls, and who waits for them.

    Call      one submitted call, and how its future is resolved
    Calls     those that wait: a heap, and the parked ones, whose time has not come
    Place     where a thread runs its calls

See thread.py for who may do what, and for what guards it.
"""

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import InvalidStateError
from concurrent.futures._base import PENDING, RUNNING
from concurrent.futures.thread import BrokenThreadPool
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from lightwork.error_text import leave_out_own_frames, named_text_of
from lightwork.errors import PoolError
from lightwork.pool.again import after_error, after_pool_error, note_attempts
from lightwork.pool.call import CallOptions
from lightwork.pool.deadlines import Deadlines
from lightwork.pool.future import CancelMode, Future
from lightwork.pool.thread_loop import ThreadLoop

T = TypeVar("T")


class ThreadPoolError(PoolError, BrokenThreadPool):
    """An initializer failed: the pool runs no calls any more."""


class ThreadFuture(Future[T]):
    """A future whose running call can be asked to stop, though not made to."""

    _is_stop_asked = False
    # For a place that cannot look at this object: what tells it.
    _tell_unwanted: Callable[[], object] | None = None

    def cancel(self, *, running: CancelMode = "no") -> bool:
        """Cancel the call if it has not started; else "ask" and "kill" ask it to stop."""
        if running != "no":
            self._is_stop_asked = True
            if (tell := self._tell_unwanted) is not None:
                tell()
        return super().cancel(running=running)

    def is_unwanted(self) -> bool:
        """Whether the outcome of the running call would not be looked at."""
        return self._is_stop_asked or self.done()

    def wait_again(self) -> bool:
        """Be as if the call had not started; False: nobody wants another attempt."""
        with self._condition:
            if self._is_stop_asked or self._state != RUNNING:
                return False
            self._state = PENDING
            return True


class Call:
    """One submitted call; `fn`, `args` and `kwargs` in the form that the place runs."""

    __slots__ = ("__weakref__", "args", "fn", "future", "kwargs", "options")

    def __init__(
        self,
        fn: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
    ) -> None:
        self.fn = fn
        self.args = args
        self.kwargs = kwargs
        self.options = options
        self.future: ThreadFuture[Any] = ThreadFuture()

    def run(self, place: "Place", deadlines: Deadlines, park: Callable[["Call"], bool]) -> None:
        """Run it once, and resolve its future unless it is parked for another attempt."""
        if not self.future.set_running_or_notify_cancel():
            return
        timer = 0
        try:
            if self.options.timeout:
                timer = deadlines.arm(self.future, self.options.timeout)
            result = place.run(self)
        except BaseException as error:  # As in the standard library: it belongs to the caller.
            if timer:
                deadlines.disarm(timer)
            leave_out_own_frames(error)
            if self.options.retries is None or not self._run_again(error, park):
                note_attempts(self.options, error)
                with suppress(InvalidStateError):  # Its deadline came first.
                    self.future.set_exception(error)
        else:
            with suppress(InvalidStateError):
                self.future.set_result(result)
        finally:
            if timer:
                deadlines.disarm(timer)
            # The error's traceback holds this frame, and the future holds the error.
            del self

    def _run_again(self, error: BaseException, park: Callable[["Call"], bool]) -> bool:
        # What a place says itself: the call has no outcome, and may have had effects.
        follow = after_pool_error if issubclass(type(error), PoolError) else after_error
        options = follow(self.options, error)
        if options is None or not self.future.wait_again():
            return False
        before, self.options = self.options, options
        if not park(self):
            self.options = before
            # It may have been cancelled meanwhile, of which somebody must be told.
            return not self.future.set_running_or_notify_cancel()
        # Cancelled before it was parked: nobody else knows that it need not wait.
        if self.future.cancelled() and (parked := self.future._call) is not None:
            parked.withdraw("no")
        return True

    def end_anyhow(self, error: BaseException) -> None:
        """End it with what went wrong beside it, unless it has ended: no future hangs."""
        with suppress(InvalidStateError):
            self.future.set_exception(error)

    def drop(self) -> None:
        """Cancel it; nobody will run it."""
        try:
            self.future.cancel()
        finally:  # A Ctrl-C in a callback.
            # Tells wait() and as_completed(), which cancel() alone does not.
            if self.future.cancelled():
                self.future._end_cancelled()

    def fail(self, error: BaseException) -> None:
        """Let it fail; nobody will run it."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class Place(Protocol):
    """Where a thread runs its calls; only that thread uses it."""

    def begin(self) -> None:
        """Make it ready; whatever this raises, no call may run without it."""

    def run(self, call: Call) -> Any:
        """Return what the call returns, or raise what it raises."""

    def end(self) -> None:
        """End it, and what belongs to it; errors are logged."""


class Calls:
    """What the executor and its threads share; see the module docstring."""

    def __init__(self) -> None:
        # Reentrant: a finalizer may cancel a parked call in a thread that holds it.
        self.lock = threading.RLock()
        # Guarded by the lock:
        self.heap: list[tuple[int, int, Call]] = []
        # Calls whose time to start has not come, each with the number of its timer.
        self.parked: dict[Call, int] = {}
        self.threads: set[threading.Thread] = set()
        self.idle = 0
        self.is_closed = False
        # Shut down with cancel_futures: no call is run again.
        self.is_dropping = False
        self.broken: BaseException | None = None
        # Of coroutine calls, when there was one.
        self.loop: ThreadLoop | None = None
        # Safe by themselves:
        self.tokens: SimpleQueue[None] = SimpleQueue()
        self.serial = itertools.count()
        self.deadlines = Deadlines()

    def push(self, call: Call) -> None:
        """Add a call; the lock is held, so whoever gets the token waits for the call."""
        # The token first: a Ctrl-C between the two may leave a token without a call, which
        # is harmless, but no call without a token.
        self.tokens.put(None)
        heapq.heappush(self.heap, (-call.options.priority, next(self.serial), call))

    def take(self) -> Call | None:
        """Return the call that is next; None: a token without a call."""
        with self.lock:
            return heapq.heappop(self.heap)[2] if self.heap else None

    def take_all(self) -> list[Call]:
        """Return the calls that have not started; the lock is held."""
        calls = [call for _, _, call in sorted(self.heap)] + list(self.parked)
        self.heap.clear()
        for call in list(self.parked):
            self.take_parked(call)
        return calls

    def park(self, call: Call, start: Callable[[Call], object]) -> bool:
        """Let a call wait until its time, when `start` is called; the lock is held.

        Returns:
            False: it is too late for that.
        """
        if self.is_dropping or self.broken is not None:
            return False
        seconds = max(call.options.start_at - time.monotonic(), 0.0)
        try:
            self.parked[call] = self.deadlines.act_in(seconds, partial(start, call))
        except RuntimeError:  # No thread for the timer.
            return False
        call.future._call = _ParkedCall(self, call)
        return True

    def take_parked(self, call: Call) -> bool:
        """Return whether the call was parked, which it is not any more; the lock is held."""
        timer = self.parked.pop(call, None)
        if timer is None:
            return False
        self.deadlines.disarm(timer)
        call.future._call = None
        if not self.parked:
            self.tokens.put(None)  # Threads that only waited for it may end.
        return True

    def note_idle(self) -> None:
        """Note that a thread has run its call."""
        with self.lock:
            self.idle += 1

    def take_idle(self) -> bool:
        """Return whether an idle thread will run the next call; the lock is held."""
        if self.idle:
            self.idle -= 1
            return True
        return False

    def break_down(self, error: BaseException) -> None:
        """Fail all that waits: no thread can be made ready."""
        with self.lock:
            self.broken = error
            calls = self.take_all()
            loop = self.loop
        for call in [*calls, *(loop.take_waiting() if loop else ())]:
            call.fail(broken_pool(error))


class _ParkedCall:
    """What a future asks while its call is parked; see future.Withdrawable."""

    def __init__(self, calls: Calls, call: Call) -> None:
        self._calls = calls
        self._call = call

    def withdraw(self, mode: CancelMode) -> bool:
        """Cancel it; what runs cannot be parked, so every mode means the same."""
        del mode
        future = self._call.future
        with self._calls.lock:
            was_parked = self._calls.take_parked(self._call)
        if was_parked:
            future._end_cancelled()
            return True
        return future.cancel()

    def is_running(self) -> bool:
        """Tell that it does not run now."""
        return False

    def has_begun(self) -> bool:
        """Tell that this attempt has not begun."""
        return False


def broken_pool(error: BaseException) -> ThreadPoolError:
    """Return what is said about a pool whose initializer failed."""
    broken = ThreadPoolError(
        f"the initializer of a thread failed with {named_text_of(error)}: this executor runs no more calls; "
        "make a new one with an initializer that succeeds"
    )
    broken.__cause__ = error
    return broken
