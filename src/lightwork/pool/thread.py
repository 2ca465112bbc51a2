"""ThreadExecutor: calls on threads of this process, with the standard library's meaning.

    submit ──> _Calls: heap by (priority, arrival) + one token per call ──> threads

Who owns what:

- The *executor* is only held by its user. Threads hold `_Calls` and a weak
  reference, so that a dropped executor ends its threads.
- `_Calls.lock` guards the heap, the set of threads, the count of idle ones and
  the flags. User code (a call, a callback of a future) never runs under it.
- *Tokens* are the wake-ups. Their queue is reentrant, which a condition is not:
  the garbage collector may drop an executor in a thread that holds the lock.
  Every call puts one token; one without a call means: look at the flags.

A thread cannot be killed. So a call that passes its time-out fails its future
on time but runs on, holding its thread, until it returns or looks at
`current().cancelled`; `cancel(running="kill")` of a running call returns False
and sets that flag too. A memory cap is not enforced.

A call that waits for its next attempt is *parked*: its future is pending again,
so that it can be cancelled, and it is known only to `_Calls.parked` and to the
timer (deadlines.py), which pushes it in time. Threads end when nothing is
parked. A time-out is never followed by another attempt: the last one runs on.

Not copied into calls: context variables, as in the standard library.
"""

import heapq
import itertools
import os
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import InvalidStateError
from concurrent.futures._base import LOGGER, PENDING, RUNNING
from concurrent.futures.thread import BrokenThreadPool
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

from lightwork.errors import PoolError, UsageError
from lightwork.pool.again import after_error, note_attempts
from lightwork.pool.call import CallOptions
from lightwork.pool.current import Current, run_with
from lightwork.pool.deadlines import Deadlines
from lightwork.pool.endings import run_endings
from lightwork.pool.executor import Executor
from lightwork.pool.future import CancelMode, Future
from lightwork.pool.hooks import Hooks, make_hooks
from lightwork.pool.progress import reporter_for

T = TypeVar("T")


class ThreadPoolError(PoolError, BrokenThreadPool):
    """An initializer failed: the pool runs no calls any more."""


class _ThreadFuture(Future[T]):
    """A future whose running call can be asked to stop, though not made to."""

    _is_stop_asked = False

    def cancel(self, *, running: CancelMode = "no") -> bool:
        """Cancel the call if it has not started; else "ask" and "kill" ask it to stop."""
        if running != "no":
            self._is_stop_asked = True
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


class _Call:
    """One submitted call."""

    __slots__ = ("__weakref__", "args", "fn", "future", "kwargs", "options")

    def __init__(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
    ) -> None:
        self.fn = fn
        self.args = args
        self.kwargs = kwargs
        self.options = options
        self.future: _ThreadFuture[Any] = _ThreadFuture()

    def run(self, deadlines: Deadlines, park: Callable[["_Call"], bool]) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        timer = 0
        try:
            if self.options.timeout:
                timer = deadlines.arm(self.future, self.options.timeout)
            result = run_with(self._current(), self.fn, self.args, self.kwargs)
        except BaseException as error:  # As in the standard library: it belongs to the caller.
            if timer:
                deadlines.disarm(timer)
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

    def _run_again(self, error: BaseException, park: Callable[["_Call"], bool]) -> bool:
        options = after_error(self.options, error)
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

    def _current(self) -> Current:
        name = threading.current_thread().name
        report = reporter_for(self.options.on_progress)
        return Current(name, report, self.future.is_unwanted, attempt=self.options.attempt)

    def drop(self) -> None:
        """Cancel it; nobody will run it."""
        if self.future.cancel():
            # Tells wait() and as_completed(), which cancel() alone does not.
            self.future.set_running_or_notify_cancel()

    def fail(self, error: BaseException) -> None:
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class _Calls:
    """What the executor and its threads share; see the module docstring."""

    def __init__(self) -> None:
        # Reentrant: a finalizer may cancel a parked call in a thread that holds it.
        self.lock = threading.RLock()
        # Guarded by the lock:
        self.heap: list[tuple[int, int, _Call]] = []
        # Calls whose time to start has not come, each with the number of its timer.
        self.parked: dict[_Call, int] = {}
        self.threads: set[threading.Thread] = set()
        self.idle = 0
        self.is_closed = False
        # Shut down with cancel_futures: no call is run again.
        self.is_dropping = False
        self.broken: BaseException | None = None
        # Safe by themselves:
        self.tokens: SimpleQueue[None] = SimpleQueue()
        self.serial = itertools.count()
        self.deadlines = Deadlines()

    def push(self, call: _Call) -> None:
        """Add a call; the lock is held."""
        heapq.heappush(self.heap, (-call.options.priority, next(self.serial), call))
        self.tokens.put(None)

    def take(self) -> _Call | None:
        """Return the call that is next; None: a token without a call."""
        with self.lock:
            return heapq.heappop(self.heap)[2] if self.heap else None

    def take_all(self) -> list[_Call]:
        """Return the calls that have not started; the lock is held."""
        calls = [call for _, _, call in sorted(self.heap)] + list(self.parked)
        self.heap.clear()
        for call in list(self.parked):
            self.take_parked(call)
        return calls

    def park(self, executor: "weakref.ref[ThreadExecutor]", call: _Call) -> bool:
        """Let a call wait for its time; False: it is too late for that. The lock is held."""
        if self.is_dropping or self.broken is not None:
            return False
        seconds = max(call.options.start_at - time.monotonic(), 0.0)
        try:
            self.parked[call] = self.deadlines.act_in(
                seconds, partial(_start_parked, executor, self, call)
            )
        except RuntimeError:  # No thread for the timer.
            return False
        call.future._call = _ParkedCall(self, call)
        return True

    def take_parked(self, call: _Call) -> bool:
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
        with self.lock:
            self.idle += 1

    def take_idle(self) -> bool:
        """Return whether an idle thread will run the next call; the lock is held."""
        if self.idle:
            self.idle -= 1
            return True
        return False

    def break_down(self, error: BaseException) -> None:
        with self.lock:
            self.broken = error
            calls = self.take_all()
        for call in calls:
            call.fail(_broken(error))


class _ParkedCall:
    """What a future asks while its call is parked; see future.Withdrawable."""

    def __init__(self, calls: _Calls, call: _Call) -> None:
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


class ThreadExecutor(Executor):
    """Runs calls on threads; arguments as for `ThreadPoolExecutor`.

    Args:
        max_workers: Most threads at once; None: `min(32, CPUs + 4)`.
        thread_name_prefix: Threads are named `prefix_N`.
        initializer: Called in each thread before its first call.
        initargs: Its arguments.
        finalizer: Called in each thread whose initializer succeeded, when the thread ends; its
            errors are logged.
        finalargs: Its arguments.

    Raises:
        UsageError: max_workers is not positive.
    """

    _counter = itertools.count()

    def __init__(
        self,
        max_workers: int | None = None,
        thread_name_prefix: str = "",
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        finalizer: Callable[..., object] | None = None,
        finalargs: tuple[Any, ...] = (),
    ) -> None:
        if max_workers is None:
            max_workers = min(32, (os.cpu_count() or 1) + 4)
        if max_workers <= 0:
            raise UsageError(f"max_workers must be greater than 0; seen: {max_workers!r}")
        self._max_workers = max_workers
        self._prefix = thread_name_prefix or f"lightwork-thread-{next(self._counter)}"
        self._hooks = make_hooks(initializer, initargs, finalizer, finalargs)
        self._calls = _Calls()

    # Named as in the standard library: its tests look at them.
    @property
    def _threads(self) -> set[threading.Thread]:
        return self._calls.threads

    @property
    def _broken(self) -> bool:
        return self._calls.broken is not None

    def start_call(
        self,
        fn: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
    ) -> Future[T]:
        """Take one call with explicit options.

        Raises:
            RuntimeError: The executor was shut down, or the interpreter ends.
            ThreadPoolError: An initializer failed.
        """
        calls = self._calls
        call = _Call(fn, args, kwargs, options)
        with calls.lock, _exit.lock:
            self._check_open()
            if not options.start_at:
                self._find_thread()
                calls.push(call)
            elif not self._park(call):
                raise RuntimeError("this call has a delay, and the system gives no thread to wait")
        return call.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as in the standard library
        """Take no more calls; see `concurrent.futures.Executor.shutdown`."""
        calls = self._calls
        with calls.lock:
            calls.is_closed = True
            calls.is_dropping |= cancel_futures
            dropped = calls.take_all() if cancel_futures else []
            threads = list(calls.threads)
        for call in dropped:
            call.drop()
        calls.tokens.put(None)
        if wait:
            for thread in threads:
                thread.join()
            calls.deadlines.stop()

    def _check_open(self) -> None:
        if self._calls.broken is not None:
            raise _broken(self._calls.broken)
        if self._calls.is_closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        if _exit.has_begun:
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    def _park(self, call: _Call) -> bool:
        """Let a new call wait for its time; both locks are held."""
        if not self._calls.threads:
            # It must be run even when nobody holds the executor any more.
            self._start_thread()
        return self._calls.park(weakref.ref(self), call)

    def _find_thread(self) -> None:
        """See to it that a thread is there for one more call; both locks are held."""
        calls = self._calls
        if not calls.take_idle() and len(calls.threads) < self._max_workers:
            self._start_thread()

    def _start_thread(self) -> None:
        calls = self._calls
        tokens = calls.tokens
        # The callback must not refer to self.
        reference = weakref.ref(self, lambda _: tokens.put(None))
        thread = threading.Thread(
            name=f"{self._prefix}_{len(calls.threads)}",
            target=_work,
            args=(reference, calls, self._hooks),
        )
        try:
            thread.start()
        except RuntimeError:
            # The system gives no more threads: those that run do it all.
            if not calls.threads:
                raise
            return
        calls.threads.add(thread)
        _exit.tokens[thread] = tokens


def _work(executor: "weakref.ref[ThreadExecutor]", calls: _Calls, hooks: Hooks) -> None:
    try:
        hooks.begin()
    except BaseException as error:  # Whatever it raised, no call may run without it.
        # The standard library's logger and text: programs watch for them.
        LOGGER.critical("Exception in initializer:", exc_info=True)
        calls.break_down(error)
        run_endings()
        return
    _run_calls(executor, calls)
    hooks.end()


def _start_parked(executor: "weakref.ref[ThreadExecutor]", calls: _Calls, call: _Call) -> None:
    """Let a parked call run now, as if it had just been submitted."""
    with calls.lock, _exit.lock:
        if not calls.take_parked(call):
            return  # It was cancelled in this very moment.
        pool = executor()
        if pool is None or _exit.has_begun:
            calls.take_idle()
        else:
            pool._find_thread()
        calls.push(call)


def _run_calls(executor: "weakref.ref[ThreadExecutor]", calls: _Calls) -> None:
    def park(call: _Call) -> bool:
        with calls.lock:
            return calls.park(executor, call)

    while True:
        calls.tokens.get()
        call = calls.take()
        if call is not None:
            call.run(calls.deadlines, park)
            del call  # An idle thread must not keep arguments alive.
            calls.note_idle()
        elif not calls.parked and (_exit.has_begun or calls.is_closed or executor() is None):
            calls.tokens.put(None)  # The next thread must look, too.
            return


def _broken(error: BaseException) -> ThreadPoolError:
    broken = ThreadPoolError(
        f"the initializer of a thread failed with {error!r}: this executor runs no more calls; "
        "make a new one with an initializer that succeeds"
    )
    broken.__cause__ = error
    return broken


class _Exit:
    """The end of the interpreter: wakes and joins every thread of every executor.

    `lock` guards both fields: no thread may start once the end has begun.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.has_begun = False
        self.tokens: weakref.WeakKeyDictionary[threading.Thread, SimpleQueue[None]] = (
            weakref.WeakKeyDictionary()
        )

    def run(self) -> None:
        with self.lock:
            self.has_begun = True
            tokens = list(self.tokens.items())
        for _, wake_up in tokens:
            wake_up.put(None)
        for thread, _ in tokens:
            thread.join()

    def restart(self) -> None:
        """Forget, in a forked child, the threads of its parent."""
        self.lock._at_fork_reinit()  # type: ignore[attr-defined]
        self.tokens.clear()


_exit = _Exit()
# Runs before the interpreter joins non-daemon threads; atexit would be too late.
threading._register_atexit(_exit.run)  # type: ignore[attr-defined]
os.register_at_fork(
    before=_exit.lock.acquire,
    after_in_parent=_exit.lock.release,
    after_in_child=_exit.restart,
)
