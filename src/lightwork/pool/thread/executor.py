"""ThreadExecutor: calls on threads of this process, with the standard library's meaning.

    submit ──> CallQueue: Waiting, by (priority, arrival) + one token per call ──> threads

Who owns what:

- The *executor* is only held by its user. Threads hold `CallQueue` and a weak
  reference, so that a dropped executor ends its threads.
- `CallQueue.lock` guards the calls that wait, the set of threads, the count of idle ones and
  the flags. User code (a call, a callback of a future) never runs under it.
- Each thread has a *place* where its calls run: this interpreter, or a
  sub-interpreter of its own (interpreter.py).
- *Tokens* are the wake-ups. Their queue is reentrant, which a condition is not:
  the garbage collector may drop an executor in a thread that holds the lock.
  Every call puts one token; one without a call means: look at the flags.

A thread cannot be killed. So a call that passes its time-out fails its future
on time but runs on, holding its thread, until it returns or looks at
`current().cancelled`; `cancel(running="kill")` of a running call returns False
and sets that flag too. A memory cap is not enforced.

A call that waits for its next attempt is *parked*: its future is pending again,
so that it can be cancelled, and it is known only to `CallQueue.waiting` and to the
timer (timer_thread.py), which lets it go on in time. Threads end when nothing is
parked. A time-out is never followed by another attempt: the last one runs on.

Calls of coroutine functions take no thread: they run on one event loop in a
thread of its own (event_loop.py), where they can be cancelled for good.

Not copied into calls: context variables, as in the standard library.
"""

import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures._base import LOGGER
from contextlib import ExitStack, suppress
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.pool.call.coroutine_function import is_coroutine_function
from lightwork.pool.call.current import Current, run_with
from lightwork.pool.call.free_threading import numbers
from lightwork.pool.call.future import Future
from lightwork.pool.call.hooks import Hooks, make_hooks
from lightwork.pool.call.log_failure import log_failure
from lightwork.pool.call.options import ASYNC_CALLS, CallOptions
from lightwork.pool.call.reporter import reporter_for
from lightwork.pool.call.thread_exit import run_endings
from lightwork.pool.executor import at_exit
from lightwork.pool.executor.counts import check_async_calls, check_max_workers
from lightwork.pool.executor.executor import Executor
from lightwork.pool.map.open_maps import wait_for_open_maps
from lightwork.pool.thread.event_loop import LoopCall, ThreadLoop
from lightwork.pool.thread.queue import CallQueue, Place, ThreadCall, broken_pool, here
from lightwork.pool.thread.waiting import NO_TIMER

T = TypeVar("T")


class _Here:
    """This interpreter."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks

    def begin(self) -> None:
        try:
            self._hooks.begin()
        except BaseException:
            run_endings()
            raise

    def run(self, call: ThreadCall) -> Any:
        current = Current(
            threading.current_thread().name,
            reporter_for(call.options.on_progress, call.future),
            call.future.is_unwanted,
            attempt=call.options.attempt,
        )
        try:
            return run_with(current, call.fn, call.args, call.kwargs)
        finally:
            # The same as in ThreadCall.run.
            del call, current

    def end(self) -> None:
        self._hooks.end()


class ThreadExecutor(Executor, ThreadPoolExecutor):
    """Runs calls on threads; arguments as for `ThreadPoolExecutor`.

    It is one by class, for those who ask (`loop.set_default_executor`), and has nothing of its
    state: every method that another calls is its own.

    Args:
        max_workers: Most threads at once; None: `min(32, CPUs + 4)`.
        thread_name_prefix: Threads are named `prefix_N`.
        initializer: Called in each thread before its first call.
        initargs: Its arguments.
        finalizer: Called in each thread whose initializer succeeded, when the thread ends; its
            errors are logged.
        finalargs: Its arguments.
        async_calls: Most calls of coroutine functions at once. They take none of the
            `max_workers` threads: one more runs them all, on an event loop.

    Raises:
        UsageError: max_workers or async_calls is not positive.
    """

    __module__ = "lightwork"

    _counter = numbers()

    def __init__(
        self,
        max_workers: int | None = None,
        thread_name_prefix: str = "",
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        finalizer: Callable[..., object] | None = None,
        finalargs: tuple[Any, ...] = (),
        async_calls: int = ASYNC_CALLS,
    ) -> None:
        self._max_workers = check_max_workers(max_workers, _default_workers)
        self._async_slots = check_async_calls(async_calls)
        self._prefix = thread_name_prefix or f"lightwork-thread-{next(self._counter)}"
        self._hooks = make_hooks(initializer, initargs, finalizer, finalargs)
        self._calls = CallQueue()

    # Named as in the standard library: its tests look at them.
    @property
    def _threads(self) -> set[threading.Thread]:  # type: ignore[override] # nobody sets it
        return self._calls.threads

    @property
    def _broken(self) -> bool:  # type: ignore[override] # nobody sets it
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
            UsageError: An async generator function has no result.
        """
        calls = self._calls
        if is_coroutine_function(fn):
            with Uninterrupted(), calls.lock, _exit.lock:
                self._check_open()
                loop = calls.loop or self._start_loop()
                return loop.submit(fn, args, kwargs, options)  # type: ignore[arg-type]
        call = ThreadCall(fn, args, kwargs, options)
        with calls.lock, _exit.lock:
            self._check_open()
            if not options.start_at:
                self._find_thread()
                calls.push(call)
            elif not self._park(call):
                raise RuntimeError(NO_TIMER)
        return call.future

    def start(self) -> None:
        """Start all threads; return when the initializer has run in each. Idempotent.

        Raises:
            RuntimeError: The executor was shut down.
            ThreadPoolError: An initializer failed.
        """
        calls = self._calls
        with calls.lock, _exit.lock:
            self._check_open()
            while len(calls.threads) < self._max_workers:
                before = len(calls.threads)
                self._start_thread(is_spare=True)
                if len(calls.threads) == before:
                    break  # The system gives no more: those that run do it all.
            threads = list(calls.threads)
        for thread in threads:
            _ready[thread].wait()
        if calls.broken is not None:
            raise broken_pool(calls.broken)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as in the standard library
        """Take no more calls; see `concurrent.futures.Executor.shutdown`."""
        calls = self._calls
        # A thread of the pool would wait for itself.
        may_wait = wait and threading.current_thread() not in self._own_threads()
        if self._is_ended_later(wait=may_wait, cancel_futures=cancel_futures):
            return
        with calls.lock:
            calls.is_closed = True
        if cancel_futures:
            _drop_all(calls.take_waiting())
        calls.tokens.put(None)
        if calls.loop is not None:
            calls.loop.put(None)
        if may_wait:
            for thread in self._own_threads():
                thread.join()
            calls.timers.stop()

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            # Whoever pressed Ctrl-C waits for what runs, which cannot be killed, and no more.
            self.kill_workers()
        super().__exit__(kind, error, trace)

    def _own_threads(self) -> list[threading.Thread]:
        loop = self._calls.loop
        return [*self._calls.threads.copy(), *([] if loop is None else [loop.thread])]

    def _make_place(self, name: str) -> Place:
        """Return where the thread of this name runs its calls; a lock is held."""
        del name
        return _Here(self._hooks)

    def _check_open(self) -> None:
        if self._calls.broken is not None:
            raise broken_pool(self._calls.broken)
        if self._calls.is_closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        if _exit.has_begun:
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    def _park(self, call: ThreadCall) -> bool:
        """Let a new call wait for its time; both locks are held."""
        with Uninterrupted():
            if not self._calls.threads:
                # It must be run even when nobody holds the executor any more.
                self._start_thread()
            start = partial(_start_parked, weakref.ref(self), self._calls)
            return self._calls.park(call, call.options, start)

    def _find_thread(self) -> None:
        """See to it that a thread is there for one more call; both locks are held."""
        calls = self._calls
        if not calls.take_idle() and len(calls.threads) < self._max_workers + calls.extra:
            with Uninterrupted():
                self._start_thread()

    def lend(self, places: int) -> None:
        """Have so many threads more; they end when they are free and not wanted any more."""
        with self._calls.lock, _exit.lock:
            self._calls.lent = places
            if self._calls.loop is not None:
                self._calls.loop.lend(places)
            if not _exit.has_begun:
                self._fill()

    def _fill(self) -> None:
        """Start a thread for what waits, if there may be another; both locks are held."""
        calls = self._calls
        if calls.waiting and not calls.idle:
            self._find_thread()

    def _start_thread(self, *, is_spare: bool = False) -> None:
        calls = self._calls
        tokens = calls.tokens
        # The callback must not refer to self.
        reference = weakref.ref(self, lambda _: tokens.put(None))
        name = f"{self._prefix}_{len(calls.threads)}"
        thread = threading.Thread(
            name=name,
            target=_work,
            args=(reference, calls, self._make_place(name)),
            kwargs={"is_spare": is_spare},
        )
        _ready[thread] = threading.Event()
        try:
            thread.start()
        except RuntimeError:
            # The system gives no more threads: those that run do it all.
            if not calls.threads:
                raise
            return
        calls.threads.add(thread)
        _exit.tokens[thread] = tokens

    def _start_loop(self) -> ThreadLoop:
        """Start the thread of the coroutine calls; both locks are held."""
        calls = self._calls
        loop = ThreadLoop(
            self._async_slots,
            self._hooks,
            calls.timers,
            is_wanted=lambda: not (_exit.has_begun or calls.is_closed or reference() is None),
            break_down=calls.break_down,
        )
        # The callback must not refer to self.
        reference = weakref.ref(self, lambda _: loop.put(None))
        loop.start(f"{self._prefix}_loop")
        calls.loop = loop
        _exit.tokens[loop.thread] = loop
        return loop


def _drop_all(calls: list[ThreadCall | LoopCall]) -> None:
    """Cancel calls that nobody has any more, whatever the user's callbacks raise."""
    with ExitStack() as stack:
        for call in reversed(calls):
            stack.callback(call.drop)


def _default_workers() -> int:
    # The standard library's.
    return min(32, (os.cpu_count() or 1) + 4)


def _work(
    executor: "weakref.ref[ThreadExecutor]", calls: CallQueue, place: Place, *, is_spare: bool
) -> None:
    """Live the life of a thread; a spare one was started for no call."""
    try:
        place.begin()
    except BaseException as error:  # Whatever it raised, no call may run without it.
        calls.break_down(error)
        return
    finally:
        _ready[threading.current_thread()].set()
    if is_spare:
        calls.note_idle()
    here.wait = partial(_note_waiting, executor, calls)
    _run_calls(executor, calls, place)
    place.end()


def _start_parked(
    executor: "weakref.ref[ThreadExecutor]", calls: CallQueue, call: ThreadCall
) -> None:
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


def _note_waiting(executor: "weakref.ref[ThreadExecutor]", calls: CallQueue, change: int) -> None:
    """Note that the call of this thread waits for another, or goes on."""
    with calls.lock, _exit.lock:
        calls.waiting_calls += change
        pool = executor()
        if change > 0 and pool is not None and not _exit.has_begun:
            pool._fill()


def _is_surplus(executor: "weakref.ref[ThreadExecutor]", calls: CallQueue) -> bool:
    """Return whether this thread, which has run its call, is one too many, and let go of it."""
    pool = executor()
    if pool is None or len(calls.threads) <= pool._max_workers:
        return False
    with calls.lock:
        if len(calls.threads) <= pool._max_workers + calls.extra:
            return False
        calls.threads.discard(threading.current_thread())
        return True


def _run_calls(executor: "weakref.ref[ThreadExecutor]", calls: CallQueue, place: Place) -> None:
    def park(call: ThreadCall, options: CallOptions) -> bool:
        with calls.lock:
            return calls.park(call, options, partial(_start_parked, executor, calls))

    has_token = False
    while True:
        if not has_token:
            calls.tokens.get()
        has_token = False
        call = calls.take()
        if call is not None:
            try:
                call.run(place, calls.timers, park)
            except BaseException as error:  # Whatever it was, this thread serves others.
                log_failure(LOGGER, "call_not_resolved")
                call.end_anyhow(error)
            del call  # An idle thread must not keep arguments alive.
            if _is_surplus(executor, calls):
                return
            has_token = calls.take_token()
        elif not calls.waiting.are_parked and (
            _exit.has_begun or calls.is_closed or executor() is None
        ):
            calls.tokens.put(None)  # The next thread must look, too.
            return


# Set when a thread has run its initializer, whatever came of it.
_ready: weakref.WeakKeyDictionary[threading.Thread, threading.Event] = weakref.WeakKeyDictionary()


class _Exit:
    """The end of the interpreter: wakes and joins every thread of every executor.

    `lock` guards both fields: no thread may start once the end has begun.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.has_begun = False
        self.tokens: weakref.WeakKeyDictionary[threading.Thread, SimpleQueue[None] | ThreadLoop] = (
            weakref.WeakKeyDictionary()
        )

    def run(self) -> None:
        wait_for_open_maps()
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
with suppress(RuntimeError):  # Too late: see at_exit.come_first.
    threading._register_atexit(_exit.run)  # type: ignore[attr-defined]
# Executors that use threads need them until they are finished themselves.
at_exit.come_first()
os.register_at_fork(
    before=_exit.lock.acquire,
    after_in_parent=_exit.lock.release,
    after_in_child=_exit.restart,
)
