"""Queue: what a pool of threads and its threads share: the calls, and who waits for them.

    ThreadCall    one submitted call, and how its future is resolved
    CallQueue     those that wait, and the threads that wait for them
    Place         where a thread runs its calls

See executor.py for who may do what, and for what guards it.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import InvalidStateError
from concurrent.futures._base import LOGGER, PENDING, RUNNING
from concurrent.futures.thread import BrokenThreadPool
from contextlib import contextmanager, suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

from lightwork.error_text import leave_out_own_frames, named_text_of
from lightwork.errors import PoolError
from lightwork.pool.call.future import CancelMode, Future, bind, end_cancelled, release
from lightwork.pool.call.options import CallOptions
from lightwork.pool.call.retrying import after_error, after_pool_error, note_attempts
from lightwork.pool.thread.event_loop import LoopCall, ThreadLoop
from lightwork.pool.thread.timer_thread import TimerThread
from lightwork.pool.thread.waiting import Waiting

T = TypeVar("T")


class ThreadPoolError(PoolError, BrokenThreadPool):
    """An initializer failed: the pool runs no calls any more."""


class _Here(threading.local):
    """Of a thread of a pool: tells the pool that its call waits for another, or goes on."""

    wait: Callable[[int], object] | None = None


here = _Here()


@contextmanager
def lent_place() -> Iterator[None]:
    """Inside of the block a thread of a pool only waits: else a pool of one would wait for itself."""
    wait = here.wait
    if wait is None:
        yield
        return
    wait(1)
    try:
        yield
    finally:
        wait(-1)


class _Waiting:
    """A method that waits, in which a thread of a pool lends its place.

    For everybody else it is that method itself: a frame more would stand in every traceback.
    """

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(self, future: "ThreadFuture[Any] | None", owner: type) -> Any:
        if future is None:
            return self._method
        bound = self._method.__get__(future, owner)
        return bound if here.wait is None or future.done() else partial(_lending, bound)


def _lending(method: Callable[..., T], timeout: float | None = None) -> T:
    with lent_place():
        return method(timeout)


class ThreadFuture(Future[T]):
    """A future whose running call can be asked to stop, though not made to."""

    _is_stop_asked = False
    # For a place that cannot look at this object: what tells it.
    tell_unwanted: Callable[[], object] | None = None

    # Return what the call returned, or raised; a thread of a pool lets another run meanwhile.
    result = _Waiting(Future.result)
    exception = _Waiting(Future.exception)

    def cancel(self, *, running: CancelMode = "no") -> bool:
        """Cancel the call if it has not started; else "ask" and "kill" ask it to stop."""
        if running != "no":
            self._is_stop_asked = True
            if (tell := self.tell_unwanted) is not None:
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


class ThreadCall:
    """One submitted call; `fn`, `args` and `kwargs` in the form that the place runs.

    While it is parked it answers for its future; else the standard library's states do.
    """

    __slots__ = ("__weakref__", "_parked_in", "args", "fn", "future", "kwargs", "options")

    # Set when it is parked.
    _parked_in: "CallQueue"

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

    def run(self, place: "Place", timers: TimerThread, park: "Park") -> None:
        """Run it once, and resolve its future unless it is parked for another attempt."""
        if not self.future.set_running_or_notify_cancel():
            return
        timer = 0
        try:
            if self.options.timeout:
                timer = timers.arm(self.future, self.options.timeout)
            result = place.run(self)
        except BaseException as error:  # As in the standard library: it belongs to the caller.
            if timer:
                timers.disarm(timer)
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
                timers.disarm(timer)
            # The error's traceback holds this frame, and the future holds the error.
            del self

    def _run_again(self, error: BaseException, park: "Park") -> bool:
        # What a place says itself: the call has no outcome, and may have had effects.
        follow = after_pool_error if issubclass(type(error), PoolError) else after_error
        options = follow(self.options, error)
        if options is None or not self.future.wait_again():
            return False
        if not park(self, options):
            # It may have been cancelled meanwhile, of which somebody must be told.
            return not self.future.set_running_or_notify_cancel()
        if self.future.cancelled():
            # Before it was parked: nobody else knows that it need not wait.
            self.withdraw("no")
        return True

    def note_parked(self, calls: "CallQueue") -> None:
        """Answer for the future until `take_parked` of these."""
        self._parked_in = calls
        bind(self.future, self)

    def withdraw(self, mode: CancelMode) -> bool:
        """Cancel it while it is parked; nothing of it runs, so every mode means the same."""
        del mode
        with self._parked_in.lock:
            was_parked = self._parked_in.take_parked(self)
        if was_parked:
            end_cancelled(self.future)
        return was_parked or self.future.cancel()

    def is_running(self) -> bool:
        """Tell that it does not run now."""
        return False

    # Of this attempt.
    has_begun = is_running

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
                end_cancelled(self.future)

    def fail(self, error: BaseException) -> None:
        """Let it fail; nobody will run it."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


Park = Callable[[ThreadCall, CallOptions], bool]


class Place(Protocol):
    """Where a thread runs its calls; only that thread uses it."""

    def begin(self) -> None:
        """Make it ready; whatever this raises, no call may run without it."""

    def run(self, call: ThreadCall) -> Any:
        """Return what the call returns, or raise what it raises."""

    def end(self) -> None:
        """End it, and what belongs to it; errors are logged."""


class CallQueue:
    """What the executor and its threads share; see the module docstring."""

    def __init__(self) -> None:
        # Reentrant: a finalizer may cancel a parked call in a thread that holds it.
        self.lock = threading.RLock()
        self.timers = TimerThread()
        # Guarded by the lock:
        self.waiting: Waiting[ThreadCall] = Waiting(self.timers)
        self.threads: set[threading.Thread] = set()
        self.idle = 0
        # Threads beside `max_workers`: for calls that wait for others, and for whoever lends places.
        self.waiting_calls = 0
        self.lent = 0
        self.is_closed = False
        self.broken: BaseException | None = None
        # Of coroutine calls, when there was one.
        self.loop: ThreadLoop | None = None
        # Safe by themselves:
        self.tokens: SimpleQueue[None] = SimpleQueue()

    def push(self, call: ThreadCall) -> None:
        """Add a call; the lock is held, so whoever gets the token waits for the call."""
        # The token first: a Ctrl-C between the two may leave a token without a call, which
        # is harmless, but no call without a token.
        self.tokens.put(None)
        self.waiting.push(call)

    def take(self) -> ThreadCall | None:
        """Return the call that is next; None: a token without a call."""
        with self.lock:
            return self.waiting.take()

    def take_waiting(self) -> list[ThreadCall | LoopCall]:
        """Take all calls that have not begun, for good."""
        with self.lock:
            calls, loop = self.waiting.close(), self.loop
            for call in calls:
                release(call.future)
        self.tokens.put(None)  # Threads that only waited for them may end.
        return [*calls, *(loop.take_waiting() if loop else ())]

    def park(
        self, call: ThreadCall, options: CallOptions, start: Callable[[ThreadCall], object]
    ) -> bool:
        """See Waiting.park; the lock is held."""
        if not self.waiting.park(call, options, start):
            return False
        call.note_parked(self)
        return True

    def take_parked(self, call: ThreadCall) -> bool:
        """Return whether the call was parked, which it is not any more; the lock is held."""
        if not self.waiting.unpark(call):
            return False
        release(call.future)
        if not self.waiting.are_parked:
            self.tokens.put(None)  # Threads that only waited for it may end.
        return True

    @property
    def extra(self) -> int:
        """How many threads there may be beside `max_workers`; the lock is held."""
        return self.waiting_calls + self.lent

    def note_idle(self) -> None:
        """Note that a thread waits for its first call."""
        with self.lock:
            self.idle += 1

    def take_token(self) -> bool:
        """Return whether a thread that has run its call took a token; else note that it is idle.

        Who runs a call that has waited must not count as idle: the next call would wait for it.
        """
        with self.lock:
            try:
                self.tokens.get_nowait()
            except Empty:
                self.idle += 1
                return False
            return True

    def take_idle(self) -> bool:
        """Return whether an idle thread will run the next call; the lock is held."""
        if self.idle:
            self.idle -= 1
            return True
        return False

    def break_down(self, error: BaseException) -> None:
        """Fail all that waits: no thread can be made ready; the error is at hand."""
        # The standard library's logger and text: programs watch for them.
        with suppress(BaseException):
            LOGGER.critical("Exception in initializer:", exc_info=True)
        with self.lock:
            self.broken = error
        for call in self.take_waiting():
            call.fail(broken_pool(error))


def broken_pool(error: BaseException) -> ThreadPoolError:
    """Return what is said about a pool whose initializer failed."""
    broken = ThreadPoolError(
        f"the initializer of a thread failed with {named_text_of(error)}: this executor runs no more calls; "
        "make a new one with an initializer that succeeds"
    )
    broken.__cause__ = error
    return broken
