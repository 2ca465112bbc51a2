"""DurableExecutor: what a program calls. The parts are in the files beside it."""

import asyncio
import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload
from uuid import UUID

from lightwork.codec import Codec, Subject
from lightwork.command.job import COMMAND_TASK, command_arguments, command_task
from lightwork.durable.control import JobControl
from lightwork.durable.delivery_thread import Delivery
from lightwork.durable.event_stream import EventStream
from lightwork.durable.future import DurableFuture
from lightwork.durable.ids import parse_job_id
from lightwork.durable.job_futures import JobFutures
from lightwork.durable.jobs import Values, check_task, new_job, new_jobs
from lightwork.durable.mapping import JobMaps
from lightwork.durable.options import PLAIN, SubmitOptions
from lightwork.durable.outcome_watch import OutcomeWatch, job_not_found
from lightwork.durable.own_worker import OwnWorker, check_worker_options, worker_place
from lightwork.durable.transaction.transaction_jobs import TransactionJobs
from lightwork.durable.transaction.using import AsyncUsing, Using, open_using
from lightwork.errors import StoreError, TaskNotFound
from lightwork.events.listeners import E
from lightwork.net.keys.finding import find_authkey
from lightwork.net.opening import open_store
from lightwork.pool.call.future import Future
from lightwork.pool.call.options import CallOptions
from lightwork.pool.executor.at_exit import OpenExecutors
from lightwork.pool.executor.executor import Executor
from lightwork.pool.map.inputs import Inputs
from lightwork.pool.map.options import MapOptions, WhenFailed
from lightwork.pool.map.results import Results
from lightwork.store.contract import Store
from lightwork.store.views import JobView
from lightwork.tasks.task import Task
from lightwork.work.catalog import Catalog

if TYPE_CHECKING:
    from lightwork.durable.transaction.using import AsyncTarget, SyncTarget

T = TypeVar("T")

_open_executors: Final[OpenExecutors["DurableExecutor"]] = OpenExecutors(use_others=True)


class DurableExecutor(Executor):
    """Keeps jobs in a store, where workers claim them; results come back as futures.

    Args:
        url: URL of the store, or of a server that offers one; a new SQLite file is created.
        workers: Also run them here, on so many children (or "threads:4"): a worker
            inside this program, which finds every task the program has imported.
        authkey: Signs pickles, for values that are not plain data, and proves to a server who
            this is; 16 bytes or more; default: LIGHTWORK_AUTHKEY.
        worker_options: More arguments of Worker: queues, lease, grace, name, async_calls,
            allow_commands, output, memory_errors, middleware.

    Raises:
        UsageError: An argument makes no sense.
        StoreError: The store cannot be used.
    """

    __module__ = "lightwork"

    _has_transactions = True
    _waits_for_futures = False

    def __init__(
        self,
        url: str,
        *,
        workers: int | str = 0,
        authkey: bytes = b"",
        **worker_options: Any,
    ) -> None:
        check_worker_options(worker_options, where := worker_place(workers))
        codec = Codec(authkey=find_authkey(authkey))
        # To read results: what may run is the worker's catalog to say.
        self._catalog = Catalog([COMMAND_TASK], imported=True)
        self._is_closed = self._is_ended = False
        # Why it cannot be used, in a child that inherited it.
        self._forked: StoreError | None = None
        self.store: Store = open_store(url, authkey=codec.authkey)
        self._codec = codec.up_to(self.store.largest_value)
        self._watch = OutcomeWatch(self.store)
        self._delivery = Delivery()
        self._events = EventStream(self.store)
        self._worker = OwnWorker(
            where,
            worker_options,
            watch=self._watch,
            delivery=self._delivery,
            listeners=self._events.relay,
        )
        self._control = JobControl(self.store, self._watch)
        self._futures = JobFutures(
            self.store, self._codec, self._watch, self._control, self._worker.serves
        )
        self._job_maps = JobMaps(
            self._futures, self._control, self._codec, self._delivery, self._check_running
        )
        self._in_transactions = TransactionJobs(
            self.store,
            self._futures,
            codec=self._codec,
            control=self._control,
            delivery=self._delivery,
            find_task=self._task,
        )
        try:
            self._worker.start(self.store, self._codec.authkey, self._futures.keep_errors)
        except BaseException:
            self._worker.stop()
            self._delivery.close()
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
        task, values = self._task(fn)
        job = new_job(self._codec, task, values(args), kwargs)
        (future,) = self._futures.submit(task, [job], _submit_options(options))
        return future

    async def start_call_async(
        self,
        fn: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
    ) -> Future[T]:
        """Do the same; the job is kept when this returns. Cancelled before that, it is not."""
        task, values = self._task(fn)
        job = new_job(self._codec, task, values(args), kwargs)
        (future,) = await self._futures.submit_async(task, [job], _submit_options(options))
        return future

    def submit_many(
        self,
        fn: Callable[..., T],
        calls: Iterable[tuple[Any, ...]],
        *,
        key: str | None = None,
        failed: WhenFailed = "return",
    ) -> list[DurableFuture[T]]:
        """Keep one job for each tuple of arguments, and return their futures, in order.

        `calls` may be any iterable. They are taken and kept a thousand at a time (fewer where
        payloads are large), each batch all or none, so that of a million only two thousand are in
        memory beside their futures. What this raises it may raise in the middle, and then:

        - With a key the batches before are kept. The same call again sends only what is missing.
        - Without a key nobody could tell what was kept: jobs of the batches before are cancelled,
          apart from those that have begun. If the process is killed there, they stay and run; and if the
          store is away for longer than some seconds, of which a note of the exception tells.

        A single batch is all or none in any case. So are all jobs in `using(session).submit_many`.

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
        options = SubmitOptions(key=key, failed=failed)
        task, values = self._task(fn)
        jobs = new_jobs(self._codec, task, map(values, calls), key)
        return self._futures.submit_many(task, jobs, options)

    async def submit_many_async(
        self,
        fn: Callable[..., T],
        calls: Iterable[tuple[Any, ...]],
        *,
        key: str | None = None,
        failed: WhenFailed = "return",
    ) -> list[DurableFuture[T]]:
        """Do the same without holding up the event loop, but for making bytes of the arguments."""
        options = SubmitOptions(key=key, failed=failed)
        task, values = self._task(fn)
        jobs = new_jobs(self._codec, task, map(values, calls), key)
        return await self._futures.submit_many_async(task, jobs, options)

    @overload
    def using(self, transaction: "SyncTarget") -> Using: ...

    @overload
    def using(self, transaction: "AsyncTarget") -> AsyncUsing: ...

    def using(self, transaction: object) -> Using | AsyncUsing:
        """Return what submits in the caller's own transaction: a job exists if and only if it commits.

            with Session(engine) as session, session.begin():
                session.add(order)
                executor.using(session).submit(send_receipt, order.id)

        Of an AsyncSession or AsyncConnection, `await executor.using(session).submit(...)`.

        Args:
            transaction: A Session, Connection, AsyncSession or AsyncConnection of SQLAlchemy, to the
                database of this executor's store.

        Raises:
            UsageError: It is something else.
        """
        return open_using(self._in_transactions, transaction)

    def _start_map(
        self, fn: Callable[..., Any], inputs: Inputs, options: MapOptions
    ) -> Results[Any]:
        if not inputs.is_star:
            inputs = inputs._replace(items=zip(inputs.items, strict=True))
        task, values = self._task(fn)
        inputs = inputs._replace(items=map(values, inputs.items))
        return self._job_maps.run(task, inputs, options, self._maps())

    async def _start_map_async(
        self, fn: Callable[..., Any], inputs: Inputs, options: MapOptions
    ) -> Results[Any]:
        return await asyncio.to_thread(self._start_map, fn, inputs, options)

    # --- jobs that exist

    def future(self, job_id: UUID | str) -> DurableFuture[Any]:
        """Return a future of a job that was submitted earlier, by anybody.

        Raises:
            JobNotFound: The store has no such job.
        """
        return self._future(job_id, self.store.job(parse_job_id(job_id)))

    async def future_async(self, job_id: UUID | str) -> DurableFuture[Any]:
        """Do the same without holding up the event loop."""
        return self._future(job_id, await asyncio.to_thread(self.store.job, parse_job_id(job_id)))

    def _future(self, job_id: UUID | str, view: JobView | None) -> DurableFuture[Any]:
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

    def on(self, event: type[E], fn: Callable[[E], object]) -> Callable[[], None]:
        """Call a function with each event of a kind that happens in the store, from now on.

        Told is whatever anybody does there: jobs that are submitted, how they and their attempts
        end. Of workers of this executor at once, and when they claim, begin and progress; of others
        soon, as the store tells (an error without its traceback). Functions are called one
        after the other in a thread of their own; what they raise is logged, once, and harms nobody.

        Args:
            event: A class of events, such as `lightwork.Failed`; those below it are heard too.
            fn: Called with each of them.

        Returns:
            What ends that.

        Raises:
            UsageError: There are no such events, or the function cannot be called.
            StoreError: The store cannot be asked from where its news begin.
        """
        return self._events.on(event, fn)

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
        store. Futures that have no outcome then are left as they are, and refuse to be
        waited for without end; `future(job_id)` of a new executor finds their jobs again.
        """
        if self._forked is not None:
            return
        self._is_closed = True
        self._job_maps.close()
        try:
            if cancel_futures:
                self._job_maps.cancel_rest()
                self._control.cancel_waiting(self._watch.waiting())
            if self._worker.is_there and wait:
                self._job_maps.wait_for_rest()
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
        self._in_transactions.close()
        self._events.close()
        self._delivery.close()
        self._watch.close()
        self.store.close()

    def _be_forked(self) -> None:
        """End all futures in a child that inherited them: their outcomes come to the parent."""
        self._is_closed = self._is_ended = True
        self._job_maps.close()
        self._forked = StoreError(
            f"this executor of {self.store.safe_url} was made before this process was forked; make "
            "another one here, whose future(job_id) finds the jobs again"
        )
        self._worker.be_forked()
        self._events.be_forked()
        self._futures.be_forked(self._forked)

    def _task(self, fn: Callable[..., T]) -> tuple[Task[..., T], Values]:
        """Return the task for jobs of the function, and what makes their arguments of a call's."""
        if self._forked is not None:
            raise self._forked
        if self._is_closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        self._worker.check_alive()
        command = command_task(fn)
        if command is None:
            return check_task(fn), tuple
        self._worker.check_commands()
        return command, partial(command_arguments, fn)


def _submit_options(options: CallOptions) -> SubmitOptions:
    heard = options.on_progress
    return PLAIN if heard is None else SubmitOptions(listeners=[heard])


def _be_forked() -> None:
    for executor in _open_executors.all():
        executor._be_forked()


os.register_at_fork(after_in_child=_be_forked)
