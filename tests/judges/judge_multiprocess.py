"""multiprocess's tests of Pool, which are those of multiprocessing.

The pool adds what multiprocessing's has and an executor has not: results with callbacks, and
iterators that hand over the error of an iterable behind the results before it. `map`, `imap`,
`imap_unordered` and `starmap` are the executor's own.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import multiprocess
import multiprocess.dummy
import multiprocess.pool
from private_names import JudgedProcessExecutor

from lightwork.pool.executor.executor import Executor
from lightwork.pool.thread.executor import ThreadExecutor

FOLDER = "py3.{minor}"
FILES = [
    "multiprocess/tests/test_multiprocessing_forkserver/test_processes.py",
    "multiprocess/tests/test_multiprocessing_forkserver/test_threads.py",
]
# The rest judges processes, locks and queues, which no executor has.
ONLY = "TestPool"
LEFT_OUT = {
    "test_map_no_failfast": "a map that has failed cancels its other calls if they have not begun,"
    " so this one may end early",
}
DEVIATIONS = {
    "TestPool.test_imap_handle_iterable_exception": "an input that raises does so where map takes"
    " from it, as in the standard library's executors",
    "TestPool.test_imap_unordered_handle_iterable_exception": "the same",
    "test_pool_maxtasksperchild_invalid": "0.5 is a TypeError, as for ProcessPoolExecutor",
    "test_pool_worker_lifetime$": "children start with the first call, not with the pool",
}


class Tasks:
    """Stands where a pool keeps tasks for its processes: gives them to an executor."""

    def __init__(self, executor: Executor, cache: dict[int, Any]) -> None:
        self._executor = executor
        self._cache = cache

    def put(self, batch: tuple[Iterable[Any], Callable[[int], None] | None]) -> None:
        tasks, set_length = batch
        number = -1
        for job, number, fn, args, kwargs in tasks:
            future = self._executor.submit(fn, *args, **kwargs)
            future.add_done_callback(partial(self._hand_over, job, number))
        if set_length:
            set_length(number + 1)

    def _hand_over(self, job: int, number: int, future: Any) -> None:
        if not future.cancelled() and job in self._cache:
            error = future.exception()
            self._cache[job]._set(number, (error is None, error or future.result()))


class Pool(multiprocess.pool.Pool):  # type: ignore[misc]
    """multiprocessing's pool on the outside, one of our executors within."""

    def __init__(
        self,
        processes: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        maxtasksperchild: int | None = None,
    ) -> None:
        self._cache: dict[int, Any] = {}
        self._executor = self._make(processes, initializer, initargs, maxtasksperchild)
        self._taskqueue = Tasks(self._executor, self._cache)
        self._state = multiprocess.pool.RUN

    def _make(
        self,
        processes: int | None,
        initializer: Callable[..., object] | None,
        initargs: tuple[Any, ...],
        maxtasksperchild: int | None,
    ) -> Executor:
        return JudgedProcessExecutor(
            processes,
            initializer=initializer,
            initargs=initargs,
            max_tasks_per_child=maxtasksperchild,
        )

    @property
    def _pool(self) -> list[Any]:
        return [None] * self._executor._max_workers

    def map(self, func: Any, iterable: Any, chunksize: Any = None) -> list[Any]:
        self._check_running()
        return list(self._executor.map(func, iterable, chunksize=chunksize or "auto"))

    def starmap(self, func: Any, iterable: Any, chunksize: Any = None) -> list[Any]:
        self._check_running()
        return list(self._executor.starmap(func, iterable, chunksize=chunksize or "auto"))

    def imap(self, func: Any, iterable: Any, chunksize: int = 1) -> Iterator[Any]:
        self._check_running()
        return iter(self._executor.map(func, iterable, chunksize=chunksize))

    def imap_unordered(self, func: Any, iterable: Any, chunksize: int = 1) -> Iterator[Any]:
        self._check_running()
        return iter(self._executor.map(func, iterable, chunksize=chunksize, ordered=False))

    def close(self) -> None:
        if self._state == multiprocess.pool.RUN:
            self._state = multiprocess.pool.CLOSE
        self._executor.shutdown(wait=False)

    def terminate(self) -> None:
        self._state = multiprocess.pool.TERMINATE
        self._executor.kill_workers()

    def join(self) -> None:
        if self._state == multiprocess.pool.RUN:
            raise ValueError("Pool is still running")
        self._executor.shutdown()


class ThreadPool(Pool):
    def _make(
        self,
        processes: int | None,
        initializer: Callable[..., object] | None,
        initargs: tuple[Any, ...],
        maxtasksperchild: int | None,
    ) -> Executor:
        return ThreadExecutor(processes, initializer=initializer, initargs=initargs)


def adapt() -> None:
    """Put ours where the tests look."""
    multiprocess.Pool = Pool
    multiprocess.dummy.Pool = ThreadPool
