"""Job pool: the face of a pool, the jobs of a store within: `get_context(url).Pool()`.

How many run at once is for the workers to say that serve the store. A function is a task, which they
find by its name. Whatever becomes of a worker, each call has one outcome.
"""

import threading
from collections.abc import Callable, Iterable
from concurrent import futures
from typing import Any, Final

from lightwork.durable.executor import DurableExecutor
from lightwork.errors import JobCancelled, UsageError
from lightwork.multiprocessing.jobs.reading import JobReading
from lightwork.multiprocessing.pool import Pool
from lightwork.multiprocessing.readings import Reading
from lightwork.pool.executor.executor import Executor

# Seconds for which terminate waits to hear that what ran was killed.
_PATIENCE: Final = 5.0


class JobPool(Pool):
    """Calls on the workers of a store or server.

    Args:
        url: Of the store or server.
        processes: Accepted so that a program need not be changed; without meaning.
        authkey: Of the store or server; empty: LIGHTWORK_AUTHKEY.
    """

    __module__ = "lightwork.multiprocessing"

    _executor: DurableExecutor

    def __init__(self, url: str, processes: int | None = None, *, authkey: bytes = b"") -> None:
        self._url = url
        self._authkey = authkey
        # Guards the futures of calls that have no outcome yet.
        self._lock = threading.Lock()
        self._unfinished: set[Any] = set()
        super().__init__(processes)

    def _open(self, *_: object) -> Executor:
        return DurableExecutor(self._url, authkey=self._authkey)

    def _submit(
        self, fn: Callable[..., Any], args: Iterable[Any], kwds: Any
    ) -> futures.Future[Any]:
        future = super()._submit(fn, args, kwds)
        self._note([future])
        return future

    def _read(
        self,
        func: Callable[..., Any],
        items: Iterable[Any],
        *,
        chunksize: int | None,
        is_star: bool = False,
        ordered: bool = True,
        at_once: bool = False,  # noqa: ARG002 - jobs end elsewhere: nobody is woken for each
    ) -> Reading:
        if chunksize is not None and chunksize < 1:
            raise UsageError(f"chunksize must be at least 1; seen: {chunksize}")
        return JobReading(
            self._executor, func, items, is_star=is_star, ordered=ordered, note=self._note
        )

    def _note(self, started: list[futures.Future[Any]]) -> None:
        with self._lock:
            self._unfinished.update(started)
        for future in started:
            future.add_done_callback(self._forget)

    def _forget(self, future: futures.Future[Any]) -> None:
        with self._lock:
            self._unfinished.discard(future)

    def _left(self) -> list[Any]:
        with self._lock:
            return list(self._unfinished)

    def _end(self) -> None:
        """Do nothing: the executor brings the results until the pool is joined."""

    def _wait(self) -> None:
        futures.wait(self._left())
        self._executor.shutdown()

    def _kill(self) -> None:
        left = self._left()
        if left:
            self._executor.store.cancel([one.job_id for one in left], running="kill")
            futures.wait(left, _PATIENCE)
            for one in self._left():
                # Its worker is out of reach; whoever waits for the result waits for nothing.
                text = f"job {one.job_id} was cancelled: its pool was terminated"
                one.give_up(JobCancelled(text, job_id=str(one.job_id)))
        self._executor.shutdown(cancel_futures=True)
