"""Event loop: the coroutine calls of a thread executor, on one event loop in a thread of its own.

    submit ──> heap by (priority, arrival) ──at most `limit` at once──> tasks of the loop

A blocked loop keeps no time: then TimerThread fails the future, as for plain calls.

Started with the first coroutine call; it then lives and ends as the executor's
other threads do (executor.py): it ends when the executor is shut down or dropped,
or the interpreter ends, and nothing is left to run.

Who owns what: `lock` guards the calls that wait and those that run, the flags of
calls and of the loop. No future is resolved under it. Everything that touches
tasks runs in the loop's thread. `wake` takes no lock: the garbage collector may
call it anywhere.

An attempt whose time was over is the last one: nobody
knows whether the coroutine heeds that.

A future stays PENDING while its call runs, since the standard library knows no
way to cancel a RUNNING one; `is_begun` says what it is. Callbacks of futures run
in the loop's thread: one that blocks, blocks the coroutines.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import InvalidStateError
from contextlib import suppress
from typing import Any

from lightwork.pool.call.coroutine_call import (
    AsyncFunction,
    CoroutineCall,
    was_cancelled,
    wind_down,
)
from lightwork.pool.call.coroutine_function import GRACE
from lightwork.pool.call.current import Current
from lightwork.pool.call.future import CancelMode, Future, end_cancelled, release
from lightwork.pool.call.hooks import Hooks
from lightwork.pool.call.options import CallOptions
from lightwork.pool.call.reporter import reporter_for
from lightwork.pool.call.retrying import after_error, note_attempts
from lightwork.pool.call.thread_exit import run_endings
from lightwork.pool.thread.timer_thread import TimerThread
from lightwork.pool.thread.waiting import NO_TIMER, Waiting


class LoopCall:
    """One submitted call of a coroutine function."""

    __slots__ = (
        "args",
        "fn",
        "future",
        "is_asked",
        "is_begun",
        "is_decided",
        "kwargs",
        "options",
        "owner",
        "running",
        "timer",
    )

    def __init__(
        self,
        owner: "ThreadLoop",
        fn: AsyncFunction,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
    ) -> None:
        self.owner = owner
        self.fn = fn
        self.args = args
        self.kwargs = kwargs
        self.options = options
        self.future: Future[Any] = Future(self)
        # Guarded by the owner's lock:
        self.is_begun = False
        self.is_asked = False
        # Whoever sets it resolves the future.
        self.is_decided = False
        # Of the loop's thread:
        self.running: CoroutineCall | None = None
        self.timer = 0

    def withdraw(self, mode: CancelMode) -> bool:
        """Take the call back, if that is still possible; see Future.cancel."""
        with self.owner.lock:
            self.is_asked = self.is_asked or mode != "no"
            if self.is_decided or (self.is_begun and mode != "kill"):
                return False
            self.is_decided = True
        try:
            end_cancelled(self.future)
        finally:  # A Ctrl-C in a callback.
            self.owner.run_soon(self._cancel)
        return True

    def is_running(self) -> bool:
        """Whether its coroutine has begun."""
        return self.is_begun

    has_begun = is_running

    def drop(self) -> None:
        """Cancel it; nobody will run it."""
        self.withdraw("no")

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start its task; in the loop's thread."""
        name = threading.current_thread().name
        report = reporter_for(self.options.on_progress, self.future)
        current = Current(name, report, self._is_unwanted, attempt=self.options.attempt)
        self.running = CoroutineCall(current, self.end)
        fn, args, kwargs = self.fn, self.args, self.kwargs
        if self.options.retries is None:
            # What it was given is the coroutine's now.
            self.args, self.kwargs = (), {}
        if self.options.timeout:
            # The loop keeps time itself, unless a coroutine blocks it.
            self.timer = self.owner.timers.arm(self.future, self.options.timeout, grace=2 * GRACE)
        self.running.begin(loop, fn, args, kwargs, self.options.timeout)

    def fail(self, error: BaseException) -> None:
        """End it with this error, unless its end is decided."""
        with self.owner.lock:
            is_mine, self.is_decided = not self.is_decided, True
        if is_mine:
            self._resolve(None, error)

    def _is_unwanted(self) -> bool:
        return self.is_asked or self.future.done()

    def _cancel(self) -> None:
        if self.running is not None:
            self.running.cancel()
        else:
            self.owner.unpark(self)

    def end(self, value: object, error: BaseException | None) -> None:
        """Resolve its future, or wait to run it again; make room for the next.

        In the loop's thread.
        """
        if self.timer:
            self.owner.timers.disarm(self.timer)
        if error is None or not self._wait_again(error):
            with self.owner.lock:
                is_mine, self.is_decided = not self.is_decided, True
            if is_mine:
                self._resolve(value, error)
        self.owner.note_ended(self)
        del error

    def _wait_again(self, error: BaseException) -> bool:
        is_last = was_cancelled(error) or self._is_unwanted()
        if is_last or (self.running is not None and self.running.is_late):
            return False
        options = after_error(self.options, error)
        with self.owner.lock:
            if options is None or self.is_decided or not self.owner.park(self, options):
                return False
            self.is_begun, self.running, self.timer = False, None, 0
        return True

    def _resolve(self, value: object, error: BaseException | None) -> None:
        # Its deadline may have come first, or the user has resolved it himself.
        with suppress(InvalidStateError):
            if self.future.done():
                pass
            elif was_cancelled(error):
                end_cancelled(self.future)
            elif error is not None:
                note_attempts(self.options, error)
                self.future.set_exception(error)
            else:
                self.future.set_result(value)
        release(self.future)
        del error


class ThreadLoop:
    """The loop of one executor.

    Args:
        limit: Most calls that run at once.
        hooks: Run in the thread, around everything else.
        timers: Fails futures of calls whose time is over while the loop is blocked.
        is_wanted: Whether more calls may come; asked in the thread when none is left.
        break_down: Told what the initializer raised.
    """

    def __init__(
        self,
        limit: int,
        hooks: Hooks,
        timers: TimerThread,
        *,
        is_wanted: Callable[[], bool],
        break_down: Callable[[BaseException], object],
    ) -> None:
        self._limit = limit
        # Guarded by the lock.
        self._lent = 0
        self._hooks = hooks
        self.timers = timers
        self._is_wanted = is_wanted
        self._break_down = break_down
        self._loop = asyncio.new_event_loop()
        # Reentrant: the garbage collector may submit or cancel inside of it.
        self.lock = threading.RLock()
        self._waiting: Waiting[LoopCall] = Waiting(timers)
        # Those that run: their tasks are kept by nobody else.
        self._running: set[LoopCall] = set()
        self._is_awake = False
        # Of the loop's thread.
        self._is_over = False
        self.thread = threading.Thread(target=self._run)

    def start(self, name: str) -> None:
        """Start the thread under this name.

        Raises:
            RuntimeError: The system gives no more threads.
        """
        self.thread.name = name
        try:
            self.thread.start()
        except BaseException:
            self._loop.close()
            raise

    def submit(
        self,
        fn: AsyncFunction,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
    ) -> Future[Any]:
        """Take one call.

        Raises:
            RuntimeError: It has a delay, and the system gives no thread for that.
        """
        call = LoopCall(self, fn, args, kwargs, options)
        with self.lock:
            if options.start_at:
                if not self.park(call, options):
                    raise RuntimeError(NO_TIMER)
                return call.future
            self._waiting.push(call)
            must_wake, self._is_awake = not self._is_awake, True
        if must_wake:
            self.run_soon(self._start_more)
        return call.future

    def lend(self, places: int) -> None:
        """Run so many calls more at once."""
        with self.lock:
            self._lent = places
        self.run_soon(self._start_more)

    def take_waiting(self) -> list[LoopCall]:
        """Take the calls that have not begun, for good."""
        with self.lock:
            return self._waiting.close()

    def park(self, call: LoopCall, options: CallOptions) -> bool:
        """See Waiting.park; the lock is held."""
        return self._waiting.park(call, options, self.unpark)

    def unpark(self, call: LoopCall) -> None:
        """Let a call that is parked wait for its turn; any thread may call this."""
        with self.lock:
            if self._waiting.unpark(call):
                self._waiting.push(call)
        self.run_soon(self._start_more)

    def put(self, _: None) -> None:
        """Look whether the end has come; from any thread, and from finalizers."""
        self.run_soon(self._start_more)

    def run_soon(self, act: Callable[[], object]) -> None:
        """Have the loop's thread call it."""
        # A loop that is closed has nothing left that could be meant.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(act)

    def note_ended(self, call: LoopCall) -> None:
        """Make room for another call; in the loop's thread."""
        with self.lock:
            self._running.discard(call)
        self._start_more()

    def _run(self) -> None:
        """Run calls until no more can come; the whole life of the thread."""
        try:
            self._hooks.begin()
        except BaseException as error:
            self._break_down(error)
            run_endings()
            self._loop.close()
            return
        while not self._is_over:
            # An exit: of a task that a call has made, and told to whoever awaits that. Others:
            # when the loop logs an exception whose own code raises.
            with suppress(BaseException):
                self._loop.run_forever()
        self._hooks.end()
        wind_down(self._loop)

    def _start_more(self) -> None:
        for call in self._take_next():
            try:
                call.begin(self._loop)
            except RuntimeError as error:
                # The system gives no thread for its deadline.
                call.end(None, error)
            del call
        with self.lock:
            is_empty = not (self._waiting or self._running)
        if is_empty and not self._is_wanted():
            self._is_over = True
            self._loop.stop()

    def _take_next(self) -> list[LoopCall]:
        taken: list[LoopCall] = []
        with self.lock:
            self._is_awake = False
            while len(self._running) < self._limit + self._lent and (call := self._waiting.take()):
                if not call.is_decided:
                    call.is_begun = True
                    self._running.add(call)
                    taken.append(call)
        return taken
