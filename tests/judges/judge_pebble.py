"""pebble's tests of its pools, which judge time-outs and cancels of running calls.

Its pools stay what they are on the outside (states, map, futures of chunks); what runs a
call is one of our executors.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from threading import Thread
from typing import Any

import pebble
import pebble.pool.process
import pebble.pool.thread
from pebble.pool.base_pool import PoolStatus

from lightwork.errors import WorkerLost
from lightwork.pool.call.future import Future
from lightwork.pool.call.options import call_options
from lightwork.pool.executor.executor import Executor
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor

FOLDER = "."
FILES = ["test/test_process_pool_forkserver.py", "test/test_thread_pool.py"]
LEFT_OUT: dict[str, str] = {}
DEVIATIONS = {
    "Pool.test_process_pool_active_error": "mocks pebble's own threads",
    "Pool.test_process_pool_broken_worker_launch": "mocks how pebble starts a process",
    "Pool.test_process_pool_broken_pickling_error": "an exception with a constructor of its own"
    " arrives as itself",
    "Pool.test_process_pool_expired_worker": "looks at pebble's own table of processes",
    "Pool.test_process_pool_stop_cancel": "what has not begun is cancelled, and no child killed",
    "Pool.test_process_pool_stop_futures": "no future stays pending for ever: stop cancels them",
    "TestProcessPoolDeadlockOn(NewFutures|Result)": "breaks a lock of pebble's in the child; there is none",
    "ThreadPool.test_thread_pool_active_error": "mocks pebble's own threads",
    "ThreadPool.test_thread_pool_stop_futures": "no future stays pending for ever",
    "ThreadPool.test_thread_pool_tasks_limit": "threads are not replaced after some calls",
}


class OnExecutor:
    """What a pool of pebble does with tasks, on an executor."""

    _executor: Executor
    _context: Any
    _check_pool_status: Callable[[], None]

    def schedule(
        self,
        function: Callable[..., Any],
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> Future[Any]:
        self._check_pool_status()
        options = call_options(function, "schedule")._replace(timeout=timeout or 0.0)
        future = self._executor.start_call(function, tuple(args), dict(kwargs or {}), options)
        # There, a running call is ended without being asked for.
        future.cancel = partial(future.cancel, running="kill")  # type: ignore[method-assign]
        return future

    def stop(self) -> None:
        self._context.status = PoolStatus.STOPPED
        self._executor.kill_workers()

    def close(self) -> None:
        self._context.status = PoolStatus.CLOSED
        self._executor.shutdown(wait=False)

    def join(self, timeout: float | None = None) -> None:
        if self._context.status == PoolStatus.RUNNING:
            raise RuntimeError("The Pool is still running")
        waiter = Thread(target=self._executor.shutdown)
        waiter.start()
        waiter.join(timeout)
        if waiter.is_alive():
            raise TimeoutError("Tasks are still being executed")
        self._context.status = PoolStatus.STOPPED

    def _start_pool(self) -> None:
        self._executor.start()
        self._context.status = PoolStatus.RUNNING


class ProcessPool(OnExecutor, pebble.pool.process.ProcessPool):  # type: ignore[misc]
    """pebble's, on our processes."""

    def __init__(
        self,
        max_workers: int | None = None,
        max_tasks: int = 0,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
        context: object = None,
    ) -> None:
        super().__init__(max_workers or 2, max_tasks, initializer, initargs)
        self._executor = ProcessExecutor(
            max_workers,
            initializer=initializer,
            initargs=tuple(initargs),
            max_tasks_per_child=max_tasks or None,
        )


class ThreadPool(OnExecutor, pebble.pool.thread.ThreadPool):  # type: ignore[misc]
    """pebble's, on our threads."""

    def __init__(
        self,
        max_workers: int | None = None,
        max_tasks: int = 0,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
    ) -> None:
        super().__init__(max_workers or 2, max_tasks, initializer, initargs)
        self._executor = ThreadExecutor(
            max_workers, initializer=initializer, initargs=tuple(initargs)
        )


def adapt() -> None:
    """Put ours where the tests look."""
    pebble.ProcessPool = ProcessPool
    pebble.ThreadPool = ThreadPool
    pebble.ProcessExpired = WorkerLost
