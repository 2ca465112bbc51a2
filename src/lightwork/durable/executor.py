"""DurableExecutor: what a program calls. The parts are in the files beside it."""

import os
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar
from uuid import UUID

from lightwork.codec import Codec, Subject
from lightwork.durable.futures import DurableFuture, JobFutures
from lightwork.durable.jobs import KeyedJobs, check_task, new_job
from lightwork.durable.mapping import KeptMap, map_jobs
from lightwork.durable.own_worker import OwnWorker, check_worker_options, worker_place
from lightwork.errors import StoreError, TaskNotFound
from lightwork.pool.at_exit import OpenExecutors
from lightwork.pool.call import CallOptions
from lightwork.pool.executor import Executor
from lightwork.pool.future import Future
from lightwork.pool.inputs import Inputs, take_calls, take_inputs
from lightwork.pool.map_options import MapOptions, WhenFailed, check_failed
from lightwork.pool.results import Results
from lightwork.store.contract import Store
from lightwork.store.sqlstore import open_store
from lightwork.tasks import Task
from lightwork.work.catalog import Catalog
from lightwork.work.ids import parse_job_id
from lightwork.work.keys import find_authkey
from lightwork.work.outcomes import OutcomeWatch, job_not_found

T = TypeVar("T")

_open_executors: Final[OpenExecutors["DurableExecutor"]] = OpenExecutors()


class DurableExecutor(Executor):
    """Keeps jobs in a store, where workers claim them; results come back as futures.

    Args:
        url: URL of the store; a new SQLite file is created.
        workers: Also run them here, on so many children (or "threads:4"): a worker
            inside this program, which finds every task the program has imported.
        authkey: Signs pickles, for values that are not plain data; 16 bytes or more;
            default: LIGHTWORK_AUTHKEY.
        worker_options: More arguments of Worker: queues, lease, grace, name.

    Raises:
        UsageError: An argument makes no sense.
        StoreError: The store cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        workers: int | str = 0,
        authkey: bytes = b"",
        **worker_options: Any,
    ) -> None:
        where = worker_place(workers)
        check_worker_options(worker_options, where)
        self._codec = Codec(authkey=find_authkey(authkey))
        self._catalog = Catalog(imported=True)
        self._is_closed = self._is_ended = False
        # Why it cannot be used, in a child that inherited it.
        self._forked: StoreError | None = None
        # Maps of more jobs than have futures.
        self._kept_maps: list[KeptMap] = []
        self.store: Store = open_store(url)
        self._watch = OutcomeWatch(self.store)
        self._worker = OwnWorker(where, worker_options, self._watch)
        self._futures = JobFutures(self.store, self._codec, self._watch, self._worker.serves)
        try:
            self._worker.start(self.store, self._codec.authkey, self._futures.keep_errors)
        except BaseException:
            self._worker.stop()
            self.store.close()
            raise
        _open_executors.add(self)

    # --- submitting

    def start_call(
        self,
        fn: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
    ) -> Future[T]:
        """Keep one job. What the task declares is its policy; of `options` only who listens counts."""
        task = self._task(fn)
        job = new_job(self._codec, task, args, kwargs)
        heard = options.on_progress
        (future,) = self._futures.submit(task, [job], [] if heard is None else [heard])
        return future

    async def start_call_async(
        self,
        fn: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
    ) -> Future[T]:
        """Do the same; the job is kept when this returns. Cancelled before that, it is not."""
        task = self._task(fn)
        job = new_job(self._codec, task, args, kwargs)
        heard = options.on_progress
        made = await self._futures.submit_async(task, [job], [] if heard is None else [heard])
        return made[0]

    def submit_many(
        self,
        fn: Callable[..., T],
        calls: Iterable[tuple[Any, ...]],
        *,
        key: str | None = None,
        failed: WhenFailed = "return",
    ) -> list[DurableFuture[T]]:
        """Keep one job for each tuple of arguments, all or none.

        Args:
            fn: The task.
            calls: Positional arguments, a tuple a job.
            key: Makes it idempotent: the same key, task and arguments mean the same
                job, so what was submitted before is not submitted again and its
                outcome comes back. The n-th of equal calls is a job of its own.
            failed: "retry": those that were submitted before and have failed run again.

        Raises:
            UsageError: `fn` is not a task, or an argument cannot be stored.
        """
        check_failed(failed, key)
        task = self._task(fn)
        keyed = KeyedJobs(self._codec, task, key)
        jobs = [keyed.make(tuple(args), {}) for args in calls]
        return self._futures.submit(task, jobs, failed=failed)

    async def submit_many_async(
        self,
        fn: Callable[..., T],
        calls: Iterable[tuple[Any, ...]],
        *,
        key: str | None = None,
        failed: WhenFailed = "return",
    ) -> list[DurableFuture[T]]:
        """Do the same without holding up the event loop, but for making bytes of the arguments."""
        check_failed(failed, key)
        task = self._task(fn)
        keyed = KeyedJobs(self._codec, task, key)
        jobs = [keyed.make(tuple(args), {}) for args in calls]
        return await self._futures.submit_async(task, jobs, failed=failed)

    def _map_items(
        self, fn: Callable[..., Any], iterables: tuple[Iterable[Any], ...], options: MapOptions
    ) -> Results[Any]:
        inputs = take_inputs(iterables, is_lazy=options.buffersize is not None)
        if len(iterables) == 1:
            inputs = inputs._replace(items=zip(inputs.items, strict=True))
        return self._map_jobs(fn, inputs, options)

    def _map_calls(
        self, fn: Callable[..., Any], calls: Iterable[Iterable[Any]], options: MapOptions
    ) -> Results[Any]:
        inputs = take_calls(calls, is_lazy=options.buffersize is not None)
        return self._map_jobs(fn, inputs, options)

    def _map_jobs(self, fn: Callable[..., T], inputs: Inputs, options: MapOptions) -> Results[T]:
        results, kept = map_jobs(
            self._futures,
            self._codec,
            self._task(fn),
            inputs,
            options=options,
            maps=self._maps(),
            is_closed=lambda: self._is_closed,
            check_running=self._check_running,
        )
        self._kept_maps = [one for one in self._kept_maps if one.has_rest()]
        if kept.has_rest():
            self._kept_maps.append(kept)
        return results

    # --- jobs that exist

    def future(self, job_id: UUID | str) -> DurableFuture[Any]:
        """Return a future of a job that was submitted earlier, by anybody.

        Raises:
            JobNotFound: The store has no such job.
        """
        view = self.store.job(parse_job_id(job_id))
        if view is None:
            raise job_not_found(job_id, self.store.safe_url)
        try:
            task = self._catalog.find(view.task)
        except TaskNotFound:
            # Without its annotations results are plain data, which is enough here.
            task = None
        future = self._futures.make(Subject(view.id, view.task), task)
        self._watch.look_now()
        return future

    def start(self) -> None:
        """Start every child of the workers here; return when all are ready. Idempotent.

        Raises:
            RuntimeError: The executor was shut down.
        """
        if self._is_closed:
            raise RuntimeError("cannot start after shutdown")
        self._worker.check_alive()
        self._worker.warm()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the standard library's signature
        """Take no more jobs; with `wait` and workers here, return when all are done.

        Without workers of its own there is nothing to wait for: the jobs are in the
        store. Futures that have no outcome then are left as they are; `future(job_id)`
        of a new executor finds their jobs again.
        """
        if self._forked is not None:
            return
        self._is_closed = True
        try:
            if cancel_futures:
                for kept in self._kept_maps:
                    kept.submit_rest()
                    kept.cancel_rest()
                self._futures.cancel_waiting(self._watch.waiting())
            if self._worker.is_there and wait:
                for kept in self._kept_maps:
                    kept.wait_for_rest()
            if self._worker.is_there and wait:
                self._futures.join()
        finally:
            # Ctrl-C while waiting must not leave a worker that keeps the program alive.
            self._close()

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        # After an error, Ctrl-C above all, nobody wants to wait; nothing is lost.
        self.shutdown(wait=kind is None)
        if self._forked is None:
            self._check_read(kind)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.store.safe_url}{self._worker}>"

    def _check_running(self) -> None:
        if self._is_ended:
            raise RuntimeError(
                "the executor was shut down before this job had its outcome; the job is in the "
                "store: map again with the same key, or ask another executor for future(job_id)"
            )

    def _close(self) -> None:
        self._is_ended = True
        _open_executors.remove(self)
        self._worker.stop()
        self._watch.close()
        self.store.close()

    def _be_forked(self) -> None:
        """End all futures in a child that inherited them: their outcomes come to the parent."""
        self._is_closed = self._is_ended = True
        self._forked = StoreError(
            f"this executor of {self.store.safe_url} was made before this process was forked; make "
            "another one here, whose future(job_id) finds the jobs again"
        )
        self._worker.be_forked()
        self._futures.be_forked(self._forked)

    def _task(self, fn: Callable[..., T]) -> Task[..., T]:
        if self._forked is not None:
            raise self._forked
        if self._is_closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        self._worker.check_alive()
        return check_task(fn)


def _be_forked() -> None:
    for executor in _open_executors.all():
        executor._be_forked()


os.register_at_fork(after_in_child=_be_forked)
