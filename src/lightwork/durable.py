"""Durable: an executor that keeps every job in a store.

A job that `submit` returned for survives this program, the worker and the
machine, and has exactly one recorded outcome. The futures of this program are
only how it hears of outcomes: `future(job_id)` finds any job again.

    submit ──▶ store ──▶ a worker, here or anywhere
                 │
    future ◀── OutcomeWatch (work/outcomes.py)
"""

import inspect
import itertools
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent import futures
from typing import Any, Final, Literal, TypeVar, Unpack
from uuid import UUID

from lightwork.codec import Codec
from lightwork.errors import JobNotFound, PoolError, StoreError, TaskNotFound, UsageError
from lightwork.lifecycle import Cancelled, Failed, Quarantined, Succeeded
from lightwork.model import JobOutcome, NewJob, State
from lightwork.pool.at_exit import OpenExecutors
from lightwork.pool.call import CallOptions
from lightwork.pool.choose import count_slots
from lightwork.pool.executor import Executor, shown
from lightwork.pool.future import CancelMode, Future
from lightwork.pool.map_options import MapKeywords, MapOptions
from lightwork.pool.results import Results
from lightwork.store.contract import Store
from lightwork.store.sqlstore import open_store
from lightwork.tasks import Task
from lightwork.work.catalog import Catalog
from lightwork.work.collect import collect
from lightwork.work.ids import keyed_job_id, new_job_id, parse_job_id
from lightwork.work.keys import find_authkey
from lightwork.work.outcomes import OutcomeWatch, job_failed
from lightwork.work.service import Worker
from lightwork.work.worker import Ends

T = TypeVar("T")

log = logging.getLogger(__name__)

_open_executors: Final = OpenExecutors()
# Jobs that map submits in one transaction, and holds unfinished by default.
_MAP_BATCH: Final = 1000
_MAP_AHEAD: Final = 10_000
# What the executor itself says to its worker.
_OWN_WORKER_OPTIONS: Final = frozenset(
    {"store", "executor", "imported", "burst", "on_recorded", "on_failed"}
)


class DurableFuture(Future[T]):
    """The future of a job; `job_id` finds it again after a restart."""

    def __init__(self, job_id: UUID) -> None:
        super().__init__()
        self.job_id = job_id


class _KeptCall:
    """The job behind a future, as cancel() and running() ask for it."""

    def __init__(self, executor: "DurableExecutor", future: DurableFuture[Any]) -> None:
        self._executor = executor
        self._future = future

    def withdraw(self, mode: CancelMode) -> bool:
        """Cancel the job in the store."""
        return self._executor._cancel(self._future, mode)

    def is_running(self) -> bool:
        """Whether a worker has claimed it."""
        job_id = self._future.job_id
        return self._executor.store.states([job_id]).get(job_id) is State.RUNNING


class DurableExecutor(Executor):
    """Keeps jobs in a store, where workers claim them; results come back as futures.

    Args:
        url: URL of the store; a new SQLite file is created.
        workers: Also run them here, on so many children (or "threads:4"): a worker
            inside this program, which finds every task the program has imported.
        authkey: Signs pickles, for values that are not plain data;
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
        where = _worker_place(workers)
        _check_worker_options(worker_options, where)
        self._codec = Codec(authkey=find_authkey(authkey))
        self._catalog = Catalog(imported=True)
        self.store: Store = open_store(url)
        self._watch = OutcomeWatch(self.store)
        self._is_closed = False
        # Jobs in queues that the worker here does not serve: not waited for.
        self._elsewhere: set[UUID] = set()
        self._worker: Worker | None = None
        # What ended the worker here, if anything did.
        self._failure: BaseException | None = None
        if where:
            try:
                self._worker = self._start_worker(where, worker_options)
            except BaseException:
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
        """Keep one job. What the task declares is its policy; `options` is not used."""
        del options
        task = self._task(fn)
        job_id = new_job_id()
        job = self._new_job(job_id, task, args, kwargs)
        future: DurableFuture[T] = self._future(job_id, task)
        try:
            self.store.submit([job])
        except BaseException:
            self._forget([job_id])
            raise
        return future

    def submit_many(
        self,
        fn: Callable[..., T],
        calls: Iterable[tuple[Any, ...]],
        *,
        key: str | None = None,
    ) -> list[DurableFuture[T]]:
        """Keep one job for each tuple of arguments, all or none.

        Args:
            fn: The task.
            calls: Positional arguments, a tuple a job.
            key: Makes it idempotent: the same key, task and arguments mean the same
                job, so what was submitted before is not submitted again and its
                outcome comes back. The n-th of equal calls is a job of its own.

        Raises:
            UsageError: `fn` is not a task, or an argument cannot be stored.
        """
        task = self._task(fn)
        numbering: Counter[bytes] = Counter()
        jobs = [self._keyed_job(task, tuple(args), {}, key, numbering) for args in calls]
        return self._submit_batch(task, jobs)

    def map(  # type: ignore[override] # adds a key
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int | Literal["auto"] = "auto",
        buffersize: int | None = None,
        ordered: bool = True,
        errors: Literal["raise", "return"] = "raise",
        progress: bool = False,
        key: str | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> Results[T]:
        """Make a job of each item and yield the results; see Executor.map.

        `chunksize` has no effect: each item is a job with an outcome of its own.
        Closing or dropping an iterator in use cancels the jobs that have not begun,
        like every map. With `key` they stay, and a program that was interrupted can
        be started again: what has an outcome comes from the store, only the rest is run.
        """
        options = self._map_options(
            timeout=timeout,
            chunksize=chunksize,
            buffersize=buffersize,
            ordered=ordered,
            errors=errors,
            kwargs=kwargs,
        )
        results = self._map_jobs(fn, zip(*iterables, strict=False), options, key)
        return shown(results, fn, iterables) if progress else results

    def starmap(  # type: ignore[override] # adds a key
        self,
        fn: Callable[..., T],
        calls: Iterable[Iterable[Any]],
        *,
        progress: bool = False,
        key: str | None = None,
        **options: Unpack[MapKeywords],
    ) -> Results[T]:
        """Make a job of the arguments of each call and yield the results; see `map`."""
        results = self._map_jobs(fn, map(tuple, calls), self._map_options(**options), key)
        return shown(results, fn, (calls,)) if progress else results

    def _map_jobs(
        self,
        fn: Callable[..., T],
        calls: Iterator[tuple[Any, ...]],
        options: MapOptions,
        key: str | None,
    ) -> Results[T]:
        task = self._task(fn)
        numbering: Counter[bytes] = Counter()
        kwargs = dict(options.kwargs or {})
        jobs = (self._keyed_job(task, args, kwargs, key, numbering) for args in calls)
        return collect(
            lambda count: list(itertools.islice(jobs, count)),
            lambda batch: self._submit_batch(task, batch),
            options,
            ahead=options.buffersize or _MAP_AHEAD,
            batch=_MAP_BATCH,
            abandon=self._abandon if key is None else lambda _: None,
        )

    def _submit_batch(self, task: Task[..., Any], jobs: list[NewJob]) -> list[DurableFuture[Any]]:
        futures = [self._future(job.id, task) for job in jobs]
        try:
            new = self.store.submit(jobs)
        except BaseException:
            self._forget([job.id for job in jobs])
            raise
        if not all(new):
            self._watch.look_now()
        return futures

    # --- jobs that exist

    def future(self, job_id: UUID | str) -> DurableFuture[Any]:
        """Return a future of a job that was submitted earlier, by anybody.

        Raises:
            JobNotFound: The store has no such job.
        """
        view = self.store.job(parse_job_id(job_id))
        if view is None:
            raise JobNotFound(
                f"no job {job_id} in {self.store.safe_url}; it was never submitted there, "
                "or it has been pruned",
                job_id=str(job_id),
            )
        try:
            task = self._catalog.find(view.task)
        except TaskNotFound:
            # Without its annotations results are plain data, which is enough here.
            task = None
        future = self._future(view.id, task)
        self._watch.look_now()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the standard library's signature
        """Take no more jobs; with `wait` and workers here, return when all are done.

        Without workers of its own there is nothing to wait for: the jobs are in the
        store. Futures that have no outcome then are left as they are; `future(job_id)`
        of a new executor finds their jobs again.
        """
        self._is_closed = True
        try:
            if cancel_futures:
                self._cancel_waiting(self._watch.waiting())
            if self._worker is not None and wait:
                self._watch.join(apart_from=self._elsewhere)
        finally:
            # Ctrl-C while waiting must not leave a worker that keeps the program alive.
            self._close()

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        # After an error, Ctrl-C above all, nobody wants to wait; nothing is lost.
        self.shutdown(wait=kind is None)

    def _close(self) -> None:
        _open_executors.remove(self)
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.stop()
            worker.stop()
            worker.wait()
        self._watch.close()
        self.store.close()

    # --- the parts

    def _start_worker(self, where: str, options: dict[str, Any]) -> Worker:
        worker = Worker(
            self.store,
            executor=where,
            authkey=self._codec.authkey,
            imported=True,
            on_recorded=self._note_recorded,
            on_failed=self._note_failed,
            **options,
        )
        worker.start()
        return worker

    def _note_recorded(self, ends: Ends) -> None:
        self._watch.deliver(
            JobOutcome(
                job_id=attempt.job_id,
                state=_FINAL[type(end)],
                attempt=attempt.number,
                result=end.result if isinstance(end, Succeeded) else b"",
                error=end.error if isinstance(end, Failed | Quarantined) else None,
            )
            for attempt, end in ends
            if type(end) in _FINAL
        )

    def _note_failed(self, error: BaseException) -> None:
        log.error("worker_failed error=%s", error)
        self._failure = error
        self._watch.fail(error)

    def _task(self, fn: Callable[..., T]) -> Task[..., T]:
        if self._is_closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        if self._failure is not None:
            raise PoolError(
                f"the worker of this executor has ended: {self._failure}; "
                "its jobs are in the store, open another executor to go on with them"
            ) from self._failure
        if not isinstance(fn, Task):
            name = getattr(fn, "__name__", repr(fn))
            raise UsageError(
                f"{name} is not a task, and a store only keeps jobs of tasks: a worker "
                f"must be able to find it by name. Add one line above it:\n\n"
                f"    @lw.task\n    def {name}(...):"
            )
        if "<" in fn.name:
            raise UsageError(
                f"{fn.name} is defined inside a function, where no worker can find it; "
                "move it to the top level of its module"
            )
        return fn

    def _new_job(
        self, job_id: UUID, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> NewJob:
        payload = self._codec.encode_call(job_id, args, kwargs, fn=task.fn)
        return NewJob(id=job_id, task=task.name, payload=payload, policy=task.policy)

    def _keyed_job(
        self,
        task: Task[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        key: str | None,
        numbering: Counter[bytes],
    ) -> NewJob:
        if key is None:
            return self._new_job(new_job_id(), task, args, kwargs)
        digest = self._codec.payload_digest(args, kwargs, fn=task.fn)
        numbering[digest] += 1
        job_id = keyed_job_id(key, task.name, digest, numbering[digest])
        return self._new_job(job_id, task, args, kwargs)

    def _future(self, job_id: UUID, task: Task[..., Any] | None) -> DurableFuture[Any]:
        future: DurableFuture[Any] = DurableFuture(job_id)
        future._call = _KeptCall(self, future)
        if self._worker is None or task is None or task.policy.queue not in self._worker.queues:
            self._elsewhere.add(job_id)
        self._watch.wait_for(job_id, lambda outcome: self._settle(future, task, outcome))
        return future

    def _settle(
        self,
        future: DurableFuture[Any],
        task: Task[..., Any] | None,
        outcome: JobOutcome | BaseException,
    ) -> None:
        self._elsewhere.discard(future.job_id)
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        elif outcome.state is State.CANCELLED:
            future._end_cancelled()
        else:
            try:
                result = self._result(task, outcome)
            except Exception as error:
                future.set_exception(error)
            else:
                future.set_result(result)
        # Last: until it is done, cancel() must ask the store and not just say yes.
        future._forget_call()

    def _result(self, task: Task[..., Any] | None, outcome: JobOutcome) -> Any:
        if outcome.state is State.SUCCEEDED:
            fn = None if task is None else task.fn
            return self._codec.decode_result(outcome.job_id, outcome.result, fn=fn)
        raise job_failed(outcome)

    def _cancel(self, future: DurableFuture[Any], mode: CancelMode) -> bool:
        if mode == "no" and future.running():
            return False
        state = self.store.cancel([future.job_id], kill=mode == "kill").get(future.job_id)
        if state is not State.CANCELLED:
            return False
        self._note_cancelled([future.job_id])
        # Whoever else heard of it first may still be about to say so.
        futures.wait([future])
        return True

    def _abandon(self, unwanted: list[DurableFuture[Any]]) -> None:
        # The collector may drop a map in any thread: in the one that writes, waiting
        # for a write would never end.
        if self._is_closed or threading.current_thread().name.startswith("lightwork-"):
            return
        try:
            self._cancel_waiting([future.job_id for future in unwanted])
        except StoreError as error:
            # They will be run although nobody looks at the results.
            log.warning("map_not_cancelled error=%s", error)

    def _cancel_waiting(self, job_ids: list[UUID]) -> None:
        """Cancel those that have not begun; those that run are not even asked."""
        states = self.store.states(job_ids).items()
        waiting = [job_id for job_id, state in states if state in _WAITING]
        cancelled = self.store.cancel(waiting).items()
        self._note_cancelled([job_id for job_id, state in cancelled if state is State.CANCELLED])

    def _note_cancelled(self, job_ids: Iterable[UUID]) -> None:
        self._watch.deliver(
            JobOutcome(job_id=job_id, state=State.CANCELLED, attempt=0) for job_id in job_ids
        )

    def _forget(self, job_ids: list[UUID]) -> None:
        self._elsewhere.difference_update(job_ids)
        self._watch.forget(job_ids)


_WAITING: Final = frozenset({State.BLOCKED, State.SCHEDULED, State.READY})
_FINAL: Final = {
    Succeeded: State.SUCCEEDED,
    Failed: State.FAILED,
    Quarantined: State.FAILED,
    Cancelled: State.CANCELLED,
}


def _worker_place(workers: int | str) -> str:
    if isinstance(workers, str):
        count_slots(workers)  # Raises, before a file is made.
        return workers
    if type(workers) is not int or workers < 0:
        raise UsageError(f"workers must be a number of children, at least 0; seen: {workers!r}")
    return f"processes:{workers}" if workers else ""


def _check_worker_options(options: dict[str, Any], where: str) -> None:
    parameters = inspect.signature(Worker).parameters
    known = [name for name in parameters if name not in _OWN_WORKER_OPTIONS]
    if unknown := sorted(options.keys() - set(known)):
        raise TypeError(
            f"DurableExecutor got an unexpected keyword argument {unknown[0]!r}; "
            f"expected workers, authkey or one of {', '.join(known)}"
        )
    if options and not where:
        raise UsageError(
            f"{', '.join(options)}: options of a worker, but workers=0; "
            "say how many children may run jobs here"
        )
