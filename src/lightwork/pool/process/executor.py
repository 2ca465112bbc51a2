"""ProcessExecutor: calls on child processes; only the guilty call ever fails.

The face of the process pool: checks arguments, starts the dispatcher with the
first call, and ties the pool's life to this object, to the interpreter and to
the process. See pool.py for how it works.
"""

import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from lightwork.errors import UsageError
from lightwork.locks.owned_lock import OwnedLock
from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.numeric import as_int, as_number, parse_size
from lightwork.pool.call.coroutine_function import is_coroutine_function
from lightwork.pool.call.future import Future
from lightwork.pool.call.hooks import make_hooks
from lightwork.pool.call.options import ASYNC_CALLS, CallOptions
from lightwork.pool.executor.at_exit import OpenExecutors
from lightwork.pool.executor.counts import check_async_calls, check_max_workers
from lightwork.pool.executor.cpus import usable_cpus
from lightwork.pool.executor.executor import Executor
from lightwork.pool.link.child_name import DEFAULT_NAME, check_name
from lightwork.pool.link.children import PoolSettings
from lightwork.pool.link.poller import FOREVER
from lightwork.pool.process.dispatcher import dispatch
from lightwork.pool.process.environment import BlasThreads, blas_env, check_env
from lightwork.pool.process.pool import ProcessPool
from lightwork.pool.wire.ref import Ref
from lightwork.pool.wire.spawn_args import Inheritance, dump_inheritance

if TYPE_CHECKING:
    from lightwork.pool.link.output_reader import Listener

T = TypeVar("T")


class _Here:
    """This process, known without a system call for each call."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        os.register_at_fork(after_in_child=self._look)

    def _look(self) -> None:
        self.pid = os.getpid()


_here = _Here()
_open_executors: OpenExecutors[Executor] = OpenExecutors()


class ProcessExecutor(Executor):
    """Runs calls on child processes.

    Children are started when calls need them, up to `max_workers`. A child that
    dies costs the call that it ran, which fails with WorkerLost; it is replaced.

    What a call changes of its child's folder, umask, signals and alarms is undone before
    the next; what it sets in `os.environ`, `sys.path` or a module stays. In a child
    `multiprocessing.current_process()` has the child's name and `parent_process()` is this
    program. Functions of `atexit` run when a child ends normally, not when it is killed.
    A class of `__main__` is there by value: a call that pickles one itself needs cloudpickle.
    Functions and classes of `__main__` share their globals in a child as they do here, and keep
    what an initializer or a call sets; what this program binds anew arrives with its next call.

    Args:
        max_workers: Most children at a time; default: the CPUs this process may use.
        mp_context: Accepted for compatibility; children always come from
            lightwork's fork server.
        initializer: Called once in every child; if it raises, the pool is broken.
        initargs: Its arguments; locks, queues and pipes of multiprocessing may be among them,
            if made by its `spawn` or `forkserver` context.
        max_tasks_per_child: Replace a child after so many calls.
        max_memory_per_child: Replace a child after the call that left it with more memory than
            this: bytes, or text such as "512M". No call is lost by it.
        idle_timeout: Seconds after which children without calls end, down to none; the next call
            starts one.
        logs: Log here what children log, under the same name, with the child's name as the record's
            `processName`. Levels are those of this process when the child starts; whoever
            adds a place for records in a child as well gets them twice.
        finalizer: Called once in every child whose initializer succeeded, when the child ends
            normally (shutdown, replacement), not when it is killed; its errors are logged.
        finalargs: Its arguments, as for the initializer.
        name: Children are called `NAME-1`, `NAME-2`, ... in `current().worker` and errors, and
            `lw:NAME-1` in `ps` and `top`.
        env: Variables that children have in `os.environ` before anything of yours is loaded, beside
            those that the program has when the executor is made.
        blas_threads: How many threads numeric libraries (OpenMP, OpenBLAS, MKL ...) start in
            each child; "auto": its share of the CPUs, unless the program's environment says
            something else; None: no limit. `env` wins over both.
        memory_errors: A plain call with `max_memory` gets MemoryError from the allocation that goes
            beyond it, and its child lives on; if it gets around that, it is killed as always.
        output: Called in a pool thread with each OutputLine that children write to standard output
            or error, also from C and from programs they start; "show" prints them here with the
            names of child and function before each. Default: they write where the program does.
        async_calls: Most calls of coroutine functions that one child runs at a time, on an event
            loop of its own. They share the process: its death costs all of them, and a plain
            call, which such a child gets only when no other is free, blocks its loop.

    Raises:
        UsageError: An argument makes no sense, or this system is not Linux.
    """

    __module__ = "lightwork"

    def __init__(
        self,
        max_workers: int | None = None,
        mp_context: object = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        max_tasks_per_child: int | None = None,
        max_memory_per_child: int | str | None = None,
        idle_timeout: float | None = None,
        finalizer: Callable[..., object] | None = None,
        finalargs: tuple[Any, ...] = (),
        name: str = DEFAULT_NAME,
        env: Mapping[str, str] | None = None,
        blas_threads: BlasThreads = "auto",
        logs: bool = False,
        memory_errors: bool = False,
        output: "Listener | Literal['show'] | None" = None,
        async_calls: int = ASYNC_CALLS,
    ) -> None:
        del mp_context
        _check_platform()
        hooks = make_hooks(initializer, initargs, finalizer, finalargs)
        self._max_workers = check_max_workers(max_workers, usable_cpus)
        self._async_slots = self._max_workers * check_async_calls(async_calls)
        settings = PoolSettings(
            children=self._max_workers,
            name=check_name(name),
            env=_child_env(env, blas_threads, self._max_workers),
            folder=_folder(),
            calls_per_child=_check_calls_per_child(max_tasks_per_child),
            memory_per_child=parse_size(max_memory_per_child or 0),
            idle_timeout=_check_idle_timeout(idle_timeout),
            logs=logs,
            output=None if output is None else _listener(output),
            async_calls=check_async_calls(async_calls),
            # Last: it may open descriptors, which the pool then owns.
            hooks=dump_inheritance(hooks) if hooks.are_given else Inheritance(),
        )
        self._raises_memory_error = memory_errors
        # Where calls are counted, each item is one.
        self.has_bundles = not max_tasks_per_child
        self._pid = _here.pid
        self._pool = ProcessPool(settings)
        self._thread = threading.Thread(
            target=dispatch, args=(self._pool,), name="lightwork-dispatcher"
        )
        self._start_lock = OwnedLock()  # guards starting the thread
        self._is_started = False
        _open_executors.add(self)

    def start_call(
        self,
        fn: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
    ) -> Future[T]:
        """Take one call with explicit options; see Executor."""
        self._check_process()
        if not self._is_started:
            self.begin()
        if self._raises_memory_error and options.max_memory and not is_coroutine_function(fn):
            # Only a pool with memory_errors=True has such calls.
            from lightwork.pool.child.memory_limit import LimitedCall  # noqa: PLC0415 - see above

            fn = LimitedCall(fn, options.max_memory)
        return self._pool.add(fn, args, kwargs, options)

    def _check_process(self) -> None:
        if self._pid != _here.pid:
            raise RuntimeError(
                f"this executor belongs to process {self._pid}; "
                "a forked process must create one of its own"
            )

    def put(self, value: T) -> Ref[T]:
        """Pin an object for many calls; see Executor."""
        return self._pool.put(value)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the standard library's signature
        """Take no more calls; with `wait`, return when all are done and all children ended."""
        if self._pid != _here.pid:
            return
        if self._pool.is_entered() or self._start_lock.is_owned():
            # A finalizer, in the middle of what it would wait for.
            if not self._is_ended_later(wait=False, cancel_futures=cancel_futures):
                self._pool.close_from_finalizer(cancel_waiting=cancel_futures)
            return
        may_wait = wait and self._thread is not threading.current_thread()
        if self._is_ended_later(wait=may_wait, cancel_futures=cancel_futures):
            return
        with self._start_lock:
            self._pool.close(cancel_waiting=cancel_futures)
            if not self._is_started:
                # No dispatcher was needed, and none can come: the pool is closed.
                self._pool.release()
                return
        # Without an id it was never started: the pool was closed unused.
        if may_wait and self._thread.ident:
            self._thread.join()

    def lend(self, places: int) -> None:
        """Have so many children more; they end when they are free and not wanted any more."""
        self._pool.lend(places)

    def kill_workers(self) -> None:
        """Kill all children at once, cancel what waits, and shut down."""
        self.shutdown(wait=False, cancel_futures=True)
        self._pool.kill_children()

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            # Whoever pressed Ctrl-C does not want to wait for an hour's work.
            self.kill_workers()
        self.shutdown(wait=True)
        self._check_read(kind)

    def __del__(self) -> None:
        # Never lock or join here: the collector may run in any thread, under any lock.
        pool = getattr(self, "_pool", None)
        if pool is None or self._pid != _here.pid:
            return
        if getattr(self, "_is_started", False):
            pool.close_from_finalizer(cancel_waiting=False)
        else:
            # Nobody else has ever used it, so nobody holds its lock.
            pool.release()

    def start(self) -> None:
        """Start every child; return when all are ready. Idempotent.

        Raises:
            RuntimeError: The executor was shut down.
            PoolError: The initializer failed, or children do not start.
        """
        self._check_process()
        self.begin()
        self._pool.warm()

    def begin(self) -> None:
        """Start the dispatcher now; the first call would."""
        with Uninterrupted(), self._start_lock:
            if not self._is_started:
                self._thread.start()
                self._is_started = True


def _check_platform() -> None:
    if sys.platform != "linux":
        raise UsageError(
            "ProcessExecutor needs Linux (memfd, epoll, packet pipes); "
            f"this is {sys.platform}: use ThreadExecutor"
        )


def _listener(output: object) -> "Listener | None":
    # 2 ms to import, and most children write where the program does.
    from lightwork.pool.link.output_reader import check_output  # noqa: PLC0415 - see above

    return check_output(output)


def _check_calls_per_child(calls: int | None) -> int:
    if calls is None:
        return 0
    number = as_int(calls)
    if number is None:
        raise TypeError("max_tasks_per_child must be an integer")
    if number <= 0:
        raise UsageError(f"max_tasks_per_child must be >= 1; seen: {calls}")
    return number


def _child_env(
    env: Mapping[str, str] | None, blas_threads: BlasThreads, children: int
) -> dict[str, str]:
    limits = blas_env(blas_threads, cpus=usable_cpus(), children=children, known=os.environ)
    return {**os.environ, **limits, **check_env(env)}


def _folder() -> str:
    """Return the folder of this process; "" if it is gone."""
    try:
        return os.getcwd()  # noqa: PTH109 - text in, text out
    except FileNotFoundError:
        return ""


def _check_idle_timeout(seconds: float | None) -> float:
    if seconds is None:
        return FOREVER
    number = as_number(seconds)
    if number is not None and number > 0:
        return number
    raise UsageError(f"idle_timeout must be seconds, more than 0; seen: {seconds!r}")
