"""Backend: what joblib asks of whoever runs its calls.

    Parallel ──submit(batch, callback)──▶ executor ──▶ future
        ▲                                                │ ended
        └──────────callback(future)── Callbacks ◀────────┘

joblib makes batches that take long enough, submits as many as there are slots, twice, and each
end of one submits the next. One object may serve several `Parallel` at once, whose generators
are read by turns; it holds its executor until the last of them has ended.
"""

import contextlib
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any, Final

from joblib.parallel import (
    AutoBatchingMixin,
    FallbackToBackend,
    ParallelBackendBase,
    SequentialBackend,
    register_parallel_backend,
)

from lightwork import errors
from lightwork.contrib.joblib.callbacks import Callbacks
from lightwork.contrib.joblib.place import Opened, Place
from lightwork.pool.call.current import waiting_job
from lightwork.pool.call.future import Future
from lightwork.pool.executor.executor import Executor

NAME: Final = "lightwork"


class LightworkBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]
    """Runs the calls of `joblib.Parallel` on an executor.

    As with every other, what is nested inside of a call runs on threads, and below that one
    after the other, unless it says otherwise. Arrays travel in shared memory; on
    processes those that come again, of `max_nbytes` and more, do so once, and are read-only. In a
    store a batch is a job: its values are pickles, which want an `authkey`, and it is run at least
    once; an error of a worker elsewhere is JobFailed, which says its type and text.

    Args:
        where: "processes:8" (or without a number: as many as `n_jobs` says), "threads:8", the URL
            of a store, or an executor, which stays open. A number is the most, whatever
            `n_jobs` says.
        nesting_level: joblib's.
        inner_max_num_threads: joblib's: for OpenMP, OpenBLAS and others, in processes.
        options: Those of `lightwork.executor`, such as `initializer`, or `workers` and `authkey`.

    Raises:
        UsageError: The words or options mean nothing.
    """

    supports_retrieve_callback = True
    # Whoever asks for it by name wants all of it, as with the other libraries' clusters.
    default_n_jobs = -1

    def __init__(
        self,
        where: str | Executor | None = None,
        *,
        nesting_level: int | None = None,
        inner_max_num_threads: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(nesting_level=nesting_level, inner_max_num_threads=inner_max_num_threads)
        self._place = Place(where, options)
        is_here = self._place.kind in {"threads", "inline"}
        self.uses_threads = self.supports_sharedmem = is_here
        self.supports_inner_max_num_threads = self._place.kind == "processes"
        self._opened: Opened | None = None
        self._users = 0
        self._callbacks = Callbacks()
        self._running: set[Future[list[Any]]] = set()
        self._is_broken = False

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Return how many batches run at a time."""
        return self._place.count_jobs(n_jobs)

    def configure(
        self,
        n_jobs: int | None = 1,
        parallel: Any = None,
        prefer: str | None = None,
        require: str | None = None,
        **options: Any,
    ) -> int:
        """Get ready for a `Parallel`; return how many batches run at a time."""
        del prefer, require
        count = self.effective_n_jobs(n_jobs)
        if count == 1:
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        self.parallel = parallel
        if self._opened is None:
            env = self._prepare_worker_env(n_jobs=count)
            self._opened = self._place.open(count, env, options)
        self._users += 1
        return count

    def submit(
        self, func: Callable[[], list[Any]], callback: Callable[[Any], object] | None = None
    ) -> Future[list[Any]]:
        """Start a batch; what prevents that is the future's error, since joblib expects none here."""
        future: Future[list[Any]]
        try:
            if self._opened is None:
                raise RuntimeError("this Parallel has ended, and takes no more calls")
            future = self._opened.start(func)
        except Exception as error:
            future = Future()
            future.set_exception(error)
        self._running.add(future)
        self._callbacks.call_when_done(self._noting_end(callback), future)
        return future

    def _noting_end(self, callback: Callable[[Any], object] | None) -> Callable[[Any], object]:
        def end(future: Any) -> None:
            self._running.discard(future)
            if callback is not None:
                callback(future)

        return end

    def retrieve_result_callback(self, out: futures.Future[list[Any]]) -> list[Any]:
        """Return the results of a batch that has ended, or raise what it raised."""
        try:
            return out.result()
        except errors.PoolError:
            self._is_broken = True
            raise
        except errors.JobFailed as error:
            if isinstance(error.__cause__, Exception):
                # A worker of this very program ran it: the error itself is here.
                raise error.__cause__ from None
            raise

    def abort_everything(self, ensure_ready: bool = True) -> None:  # noqa: FBT001, FBT002 - joblib's signature
        """End what runs, and what waits for it: children that run calls of it are killed."""
        del ensure_ready
        for future in tuple(self._running):
            future.cancel(running="kill")

    def terminate(self) -> None:
        """Let go of the executor when the last `Parallel` has ended."""
        self._users = max(self._users - 1, 0)
        if self._users or self._opened is None:
            return
        opened, self._opened = self._opened, None
        callbacks, self._callbacks = self._callbacks, Callbacks()
        callbacks.close()
        opened.close(is_broken=self._is_broken)
        self._is_broken = False
        self.reset_batch_stats()

    @contextlib.contextmanager
    def retrieval_context(self) -> Iterator[None]:
        """Lend the place of the job that waits here, if one does: its worker may have no other."""
        job = waiting_job()
        if job is None:
            yield
            return
        job.wait(begins=True)
        try:
            yield
        finally:
            job.wait(begins=False)


def register_backend(*, make_default: bool) -> None:
    """Tell joblib of it."""
    register_parallel_backend(NAME, LightworkBackend, make_default=make_default)
