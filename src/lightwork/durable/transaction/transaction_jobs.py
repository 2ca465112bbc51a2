"""Transaction jobs: those that one executor keeps in transactions of others.

They are rows that the user's connection inserts; nothing else is sent anywhere before the commit.
"""

import weakref
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from lightwork.codec import Codec, Subject
from lightwork.durable.control import JobControl
from lightwork.durable.delivery_thread import Delivery
from lightwork.durable.future import DurableFuture
from lightwork.durable.job_futures import JobFutures
from lightwork.durable.jobs import Values, check_known, known_calls
from lightwork.durable.transaction.commits import Commits
from lightwork.durable.transaction.future import TransactionFuture
from lightwork.durable.transaction.open_jobs import OpenJob, OpenJobs, savepoints_of
from lightwork.model import NewJob
from lightwork.store.contract import Store
from lightwork.tasks.task import Task


class TransactionJobs:
    """Keeps jobs, and has their futures wait once their transaction is committed.

    Args:
        store: Where the jobs are.
        futures: Of the executor.
        codec: Writes arguments.
        control: What futures ask of the store.
        delivery: Does what the collector may not do.
        find_task: Returns a function as a task, if jobs can be taken at all, and what makes the
            arguments of its jobs of those of a call.
    """

    def __init__(
        self,
        store: Store,
        futures: JobFutures,
        *,
        codec: Codec,
        control: JobControl,
        delivery: Delivery,
        find_task: Callable[[Callable[..., Any]], tuple[Task[..., Any], Values]],
    ) -> None:
        self.codec = codec
        self.find_task = find_task
        self._store = store
        self._futures = futures
        self._control = control
        self._delivery = delivery
        self._commits = Commits()
        self._lock = Lock()  # guards _open
        self._open: weakref.WeakKeyDictionary[Connection, OpenJobs] = weakref.WeakKeyDictionary()

    def close(self) -> None:
        """End the thread that looks for commits."""
        self._commits.close()

    def keep(
        self, connection: Connection, task: Task[..., Any], jobs: Sequence[NewJob]
    ) -> list[DurableFuture[Any]]:
        """Keep the jobs in the connection's transaction, and return their futures."""
        taken: dict[UUID, UUID] = {}
        known = known_calls(task)
        new = self._store.submit_on(connection, jobs, taken=taken, known=known)
        check_known(self.codec, task, jobs, known)
        self._commits.start()
        self._delivery.start()
        opened = self._opened(connection)
        # A known id is one of an earlier transaction, or of this very one.
        ours = opened.ids() | {job.id for job, is_new in zip(jobs, new, strict=True) if is_new}
        savepoints = savepoints_of(connection)
        made: list[DurableFuture[Any]] = []
        kept: list[OpenJob] = []
        for job in jobs:
            # Of one whose unique key another job holds, the future is that job's.
            subject = Subject(taken.get(job.id, job.id), job.task)
            if subject.job_id not in ours:
                made.append(self._futures.make(subject, task))
                continue
            future: TransactionFuture[Any] = TransactionFuture(
                subject.job_id, self._control, opened
            )
            future.task_name = subject.task
            made.append(future)
            kept.append(OpenJob(future, subject, task, savepoints))
        opened.add(kept)
        if len(kept) < len(made):
            self._futures.look_now()
        return made

    def _opened(self, connection: Connection) -> OpenJobs:
        with self._lock:
            opened = self._open.get(connection)
            if opened is None:
                opened = OpenJobs(
                    connection,
                    self._register,
                    on_commit=self._commits.watch,
                    on_committed=self._store.note_commit,
                    later=self._delivery.give,
                )
                self._open[connection] = opened
        return opened

    def _register(self, job: OpenJob) -> None:
        if job.task.on_progress is not None:
            self._futures.listen(job.future, job.task.on_progress)
        self._futures.register(job.future, job.subject, job.task)
