"""Pool: the standard library's pool on the outside, an executor of lightwork within.

What is better than there, and nothing else is different: a child that is killed costs the calls that it
ran (WorkerLost), never a hang; lambdas and functions of a notebook can be called; an endless input of
`imap` is taken as its results are read; terminate ends what waits for results (CancelledError).

A pool that is still open when the program ends is terminated, as there.
"""

import warnings
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from types import MappingProxyType
from typing import Any, Final, Self

from lightwork.errors import UsageError
from lightwork.multiprocessing.async_result import ApplyResult, AsyncResult, Callback, MapResult
from lightwork.multiprocessing.imap import IMapIterator
from lightwork.multiprocessing.readings import FeedReading, Reading
from lightwork.numeric import as_int
from lightwork.pool.executor.at_exit import OpenExecutors
from lightwork.pool.executor.cpus import usable_cpus
from lightwork.pool.executor.executor import Executor
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor

__all__ = ["RUN", "ApplyResult", "AsyncResult", "IMapIterator", "MapResult", "Pool", "ThreadPool"]

RUN: Final = "RUN"
CLOSE: Final = "CLOSE"
TERMINATE: Final = "TERMINATE"
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class _Terminated(OpenExecutors[Executor]):
    """Executors of pools, which do not finish what was submitted when the program ends."""

    def finish_all(self) -> None:
        """Let nothing more begin, and kill children."""
        for executor in self.all():
            executor.kill_workers()


_of_pools: Final = _Terminated(use_others=True)


class Pool:
    """Calls on child processes; see `multiprocessing.Pool`.

    Args:
        processes: Most children at a time; default: the CPUs this process may use. They start
            with the first calls.
        initializer: Called once in every child; if it raises, every call fails with PoolError.
        initargs: Its arguments.
        maxtasksperchild: Replace a child after so many calls; items of a map are calls.
        context: Accepted for compatibility; children always come from lightwork's fork server.

    Raises:
        ValueError: A number makes no sense.
        TypeError: The initializer cannot be called.
    """

    __module__ = "lightwork.multiprocessing"

    # Where it was never made, `__del__` has nothing to say.
    _state = TERMINATE

    def __init__(
        self,
        processes: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
        maxtasksperchild: int | None = None,
        context: object = None,
    ) -> None:
        del context
        self._processes = usable_cpus() if processes is None else processes
        if self._processes < 1:
            raise UsageError("Number of processes must be at least 1")
        if maxtasksperchild is not None and (as_int(maxtasksperchild) or 0) < 1:
            raise UsageError("maxtasksperchild must be a positive int or None")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        # Of maps whose input is taken as it is read: what is left of it runs when they are joined.
        self._lazy: list[IMapIterator] = []
        self._executor = self._open(initializer, tuple(initargs), maxtasksperchild)
        self._state = RUN

    def _open(
        self,
        initializer: Callable[..., object] | None,
        initargs: tuple[Any, ...],
        maxtasksperchild: int | None,
    ) -> Executor:
        executor = ProcessExecutor(
            self._processes,
            initializer=initializer,
            initargs=initargs,
            max_tasks_per_child=maxtasksperchild,
            name="PoolWorker",
        )
        _of_pools.add(executor)
        return executor

    # --- one call

    def apply(
        self,
        func: Callable[..., Any],
        args: Iterable[Any] = (),
        kwds: Mapping[str, Any] = _NOTHING,
    ) -> Any:
        """Return `func(*args, **kwds)`, run by a child."""
        self._check_running()
        return self._submit(func, args, kwds).result()

    def apply_async(
        self,
        func: Callable[..., Any],
        args: Iterable[Any] = (),
        kwds: Mapping[str, Any] = _NOTHING,
        callback: Callback | None = None,
        error_callback: Callback | None = None,
    ) -> AsyncResult:
        """Run it, and return at once what will have the result.

        Args:
            func: Called by a child.
            args: Its arguments.
            kwds: Its keyword arguments.
            callback: Called here with the result, in a thread of the pool.
            error_callback: Called there with what was raised.
        """
        self._check_running()
        return ApplyResult(self._submit(func, args, kwds), callback, error_callback)

    def _submit(
        self, func: Callable[..., Any], args: Iterable[Any], kwds: Mapping[str, Any]
    ) -> Future[Any]:
        return self._executor.submit(func, *args, **kwds)

    # --- all results in one list

    def map(
        self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int | None = None
    ) -> list[Any]:
        """Return what the function gave for each item, in the order of the items.

        Args:
            func: Called with each item. All are run, also behind one that fails.
            iterable: Has an end.
            chunksize: Items per call; default: by their duration.
        """
        results: list[Any] = self.map_async(func, iterable, chunksize).get()
        return results

    def starmap(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
    ) -> list[Any]:
        """Do the same for items that are the arguments of a call: `func(*item)`."""
        results: list[Any] = self.starmap_async(func, iterable, chunksize).get()
        return results

    def map_async(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Any],
        chunksize: int | None = None,
        callback: Callback | None = None,
        error_callback: Callback | None = None,
    ) -> AsyncResult:
        """Map, and return at once what will have the list; callbacks as in apply_async."""
        reading = self._read_whole(func, iterable, chunksize, is_star=False)
        return MapResult(reading, callback, error_callback)

    def starmap_async(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
        callback: Callback | None = None,
        error_callback: Callback | None = None,
    ) -> AsyncResult:
        """Do the same for items that are the arguments of a call: `func(*item)`."""
        reading = self._read_whole(func, iterable, chunksize, is_star=True)
        return MapResult(reading, callback, error_callback)

    def _read_whole(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Any],
        chunksize: int | None,
        *,
        is_star: bool,
    ) -> Reading:
        self._check_running()
        items = iterable if hasattr(iterable, "__len__") else list(iterable)
        return self._read(func, items, chunksize=chunksize, is_star=is_star, at_once=True)

    # --- results one by one

    def imap(
        self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int = 1
    ) -> IMapIterator:
        """Return the results one by one, in the order of the items."""
        return self._imap(func, iterable, chunksize, ordered=True)

    def imap_unordered(
        self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int = 1
    ) -> IMapIterator:
        """Return the results one by one, as they come."""
        return self._imap(func, iterable, chunksize, ordered=False)

    def _imap(
        self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int, *, ordered: bool
    ) -> IMapIterator:
        self._check_running()
        reading = self._read(func, iterable, chunksize=chunksize, ordered=ordered)
        if reading.is_whole:
            return IMapIterator(reading, _nothing)
        results = IMapIterator(reading, lambda: self._note_taken(results))
        self._lazy.append(results)
        return results

    def _read(
        self,
        func: Callable[..., Any],
        items: Iterable[Any],
        *,
        chunksize: int | None,
        is_star: bool = False,
        ordered: bool = True,
        at_once: bool = False,
    ) -> Reading:
        return FeedReading(
            self._executor,
            func,
            items,
            chunksize=chunksize,
            is_star=is_star,
            ordered=ordered,
            at_once=at_once,
        )

    def _note_taken(self, results: IMapIterator) -> None:
        if results in self._lazy:
            self._lazy.remove(results)
        if not self._lazy and self._state == CLOSE:
            self._end()

    # --- its end

    def close(self) -> None:
        """Take no more; children end when all is done. Idempotent."""
        if self._state == RUN:
            self._state = CLOSE
        if not self._lazy:
            self._end()

    def _end(self) -> None:
        self._executor.shutdown(wait=False)

    def terminate(self) -> None:
        """Take no more, cancel what waits, kill what runs; idempotent.

        Calls on threads cannot be killed: `join` waits for those that run.
        """
        self._state = TERMINATE
        self._lazy.clear()
        self._kill()

    def _kill(self) -> None:
        self._executor.kill_workers()
        self._executor.shutdown(wait=True)

    def join(self) -> None:
        """Return when all is done and all children have ended.

        Raises:
            ValueError: It is neither closed nor terminated.
        """
        if self._state == RUN:
            raise ValueError("Pool is still running")
        for results in list(self._lazy):
            results.run_rest()
        self._wait()

    def _wait(self) -> None:
        self._executor.shutdown(wait=True)

    def _check_running(self) -> None:
        if self._state != RUN:
            raise ValueError("Pool not running")

    def __enter__(self) -> Self:
        self._check_running()
        return self

    def __exit__(self, *_: object) -> None:
        self.terminate()

    def __del__(self) -> None:
        # The executor sees to its own end.
        if self._state == RUN:
            text = f"unclosed running multiprocessing pool {self!r}"
            warnings.warn(text, ResourceWarning, source=self, stacklevel=1)

    def __reduce__(self) -> tuple[Any, ...]:
        raise NotImplementedError(
            "pool objects cannot be passed between processes or pickled; a child may make its own"
        )

    def __repr__(self) -> str:
        kind = f"{type(self).__module__}.{type(self).__qualname__}"
        return f"<{kind} state={self._state} pool_size={self._processes}>"


class ThreadPool(Pool):
    """Calls on threads of this program; see `multiprocessing.pool.ThreadPool`.

    A thread cannot be killed: terminate cancels what has not begun, and the program ends when what
    runs has ended.
    """

    __module__ = "lightwork.multiprocessing"

    def __init__(
        self,
        processes: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
    ) -> None:
        super().__init__(processes, initializer, initargs)

    def _open(
        self,
        initializer: Callable[..., object] | None,
        initargs: tuple[Any, ...],
        maxtasksperchild: int | None,  # noqa: ARG002 - a thread lives as long as its pool
    ) -> Executor:
        executor = ThreadExecutor(self._processes, initializer=initializer, initargs=initargs)
        _of_pools.add(executor)
        return executor

    def _kill(self) -> None:
        self._executor.kill_workers()


def _nothing() -> None:
    """Nothing is left to start of a map that runs whole."""
