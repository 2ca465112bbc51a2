"""Open jobs: those of one connection's transaction, until it is known what became of that.

    submitted ──▶ open ──rollback, or that of a savepoint around it──▶ cancelled
                   │
                commit: begun ──▶ committing ──the connection has let go of it──▶ its future waits

SQLAlchemy tells that a commit begins, not that it has succeeded; whoever looks later sees whether the
connection still has a transaction. If the commit has failed the job does not exist: then the watch over
the store finds that out, and the future is cancelled (`is_in_doubt`). So it is, too, where the
connection was lost during the commit, a savepoint was rolled back by a text, or the transaction was
ended by a text: COMMIT, ROLLBACK, and on MariaDB whatever changes tables. Whatever SQLAlchemy
says of it afterwards is about the next one.

`_lock` guards `_jobs` and `_is_committing`; reentrant, for the collector may come here.
"""

import logging
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, event

from lightwork.codec import Subject
from lightwork.durable.transaction.future import TransactionFuture
from lightwork.pool.call.future import end_cancelled
from lightwork.pool.call.log_failure import log_failure
from lightwork.store.joining import is_driver_in_transaction
from lightwork.tasks.task import Task

log = logging.getLogger(__name__)


class OpenJob(NamedTuple):
    """A job that exists if its transaction commits.

    Attributes:
        savepoints: Names of those around it; if one is rolled back, it never was.
    """

    future: TransactionFuture[Any]
    subject: Subject
    task: Task[..., Any]
    savepoints: frozenset[str]


class OpenJobs:
    """Those of one connection, one transaction after the other.

    Args:
        connection: Whose transactions they are a part of.
        register: Makes a future wait for the outcome of its job.
        on_commit: Called when one begins to commit: settle soon, in another thread.
        on_committed: Called after a commit.
        later: Does something in another thread.
    """

    def __init__(
        self,
        connection: Connection,
        register: Callable[[OpenJob], None],
        *,
        on_commit: Callable[["OpenJobs"], None],
        on_committed: Callable[[], None],
        later: Callable[[Callable[[], None]], None],
    ) -> None:
        self._register = register
        self._on_commit = on_commit
        self._on_committed = on_committed
        self._later = later
        self._jobs: list[OpenJob] = []
        self._is_committing = False
        self._lock = threading.RLock()
        self._connection = weakref.ref(connection, self._note_gone)
        for name, listener in (
            ("begin", self._note_begin),
            ("commit", self._note_commit),
            ("commit_twophase", self._note_commit),
            ("rollback", self._note_rollback),
            ("rollback_twophase", self._note_rollback),
            ("rollback_savepoint", self._note_rollback_savepoint),
            ("after_cursor_execute", self._note_statement),
        ):
            event.listen(connection, name, listener)

    def add(self, jobs: Sequence[OpenJob]) -> None:
        """Take jobs that the open transaction has kept."""
        with self._lock:
            self._jobs += jobs

    def ids(self) -> set[UUID]:
        """Return the jobs that the open transaction itself has kept."""
        with self._lock:
            return {job.subject.job_id for job in self._jobs}

    def is_open(self) -> bool:
        """Whether the transaction has neither been committed nor rolled back."""
        with self._lock:
            return bool(self._jobs) and not (self._is_committing and self._is_let_go())

    def settle(self) -> bool:
        """Let futures wait for outcomes if it was committed meanwhile; whether it is over."""
        with self._lock:
            if self.is_open():
                return False
            jobs = self._take()
        self._begin_waiting(jobs)
        return True

    def _is_let_go(self) -> bool:
        connection = self._connection()
        return connection is None or connection.closed or connection.get_transaction() is None

    def _note_begin(self, *_: Any) -> None:
        # Of the next transaction: the last one is over, whatever was heard of it.
        with self._lock:
            jobs = self._take()
        self._begin_waiting(jobs)

    def _note_commit(self, *_: Any) -> None:
        with self._lock:
            if not self._jobs:
                return
            self._is_committing = True
        self._on_commit(self)

    def _note_rollback(self, connection: Connection, *_: Any) -> None:
        with self._lock:
            # Lost in the middle of a commit: only the store can tell.
            is_in_doubt = self._is_committing and connection.invalidated
            jobs = self._take()
        if is_in_doubt:
            self._begin_waiting(jobs)
        else:
            self._cancel(jobs)

    def _note_rollback_savepoint(self, _connection: Connection, name: str, *_: Any) -> None:
        with self._lock:
            gone = [job for job in self._jobs if name in job.savepoints]
            self._jobs = [job for job in self._jobs if name not in job.savepoints]
        self._cancel(gone)

    def _note_statement(self, connection: Connection, *_: Any) -> None:
        with self._lock:
            if not self._jobs or is_driver_in_transaction(connection) is not False:
                return
            jobs = self._take()
        self._begin_waiting(jobs)

    def _note_gone(self, _: object) -> None:
        # By the collector, in the middle of anything.
        self._later(self._end_gone)

    def _end_gone(self) -> None:
        with self._lock:
            is_in_doubt = self._is_committing
            jobs = self._take()
        if is_in_doubt:
            self._begin_waiting(jobs)
        else:
            self._cancel(jobs)

    def _take(self) -> list[OpenJob]:
        jobs, self._jobs = self._jobs, []
        self._is_committing = False
        return jobs

    def _cancel(self, jobs: Sequence[OpenJob]) -> None:
        for job in jobs:
            job.future.note_rollback()
            end_cancelled(job.future)

    def _begin_waiting(self, jobs: Sequence[OpenJob]) -> None:
        if not jobs:
            return
        for job in jobs:
            try:
                job.future.is_in_doubt = True
                self._register(job)
            except Exception:
                # Whoever has committed must not hear of it as of a failed commit.
                log_failure(log, "future_not_registered job=%s", job.subject.job_id)
        self._on_committed()


def savepoints_of(connection: Connection) -> frozenset[str]:
    """Return the names of the savepoints that are open; what SQLAlchemy does not tell is left out."""
    names: set[str] = set()
    nested: Any = connection.get_nested_transaction()
    while nested is not None:
        names.add(getattr(nested, "_savepoint", ""))
        nested = getattr(nested, "_previous_nested", None)
    return frozenset(names - {""})
