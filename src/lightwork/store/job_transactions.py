"""Job transactions: a job changes the database, and its outcome is recorded, in one transaction.

    session ── statements of the job ──▶ finish: what was last reported, the guarded move to the outcome,
                                         the counters ──▶ COMMIT
    raised, refused, killed ──▶ ROLLBACK: nothing of it was

In the process that runs the job, and with connections of its own. The fence is the guard of every end:
seq, attempt number and worker. It is looked at in the end, and holds until the commit: a lock from the
start would hold up the worker, which writes into the same row while the job runs.

The job may commit and roll back its session as it likes: that sets and leaves savepoints. Whoever
commits the transaction itself is refused; a COMMIT by text cannot be, nor on MariaDB what changes tables and
commits by itself. It is noticed after each statement, or when a savepoint has gone with it. What was
written by then is committed without the outcome, so the job fails for good: to run it again would
write it twice.
"""

import contextlib
import threading
import uuid
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, ExceptionContext, event, exc
from sqlalchemy.orm import Session

from lightwork.codec.payload import MAX_BYTES
from lightwork.errors import LeaseLost, UsageError
from lightwork.lifecycle import Succeeded
from lightwork.model import Attempt, Progress
from lightwork.store.joining import is_driver_in_transaction
from lightwork.store.opening import kind_of
from lightwork.store.operations import attempts
from lightwork.store.operations.bounds.payloads import PayloadBound
from lightwork.store.sql.engines.job_engine import JobEngine

_JOB: Final = "lightwork_job"
# No such savepoint: of MariaDB, PostgreSQL, SQLite.
_GONE: Final = (1305, "3B001", "no such savepoint")


class JobTransaction:
    """One transaction of one job; `session` is what the job gets."""

    # The job's own statement that has ended it, before there was an outcome.
    ended_by = ""
    may_commit = False
    _was_open = False
    # The database has undone it, for the sake of another one.
    _is_undone = False

    def __init__(self, database: JobEngine, connection: Connection, bound: PayloadBound) -> None:
        self._database = database
        self._connection = connection
        self._bound = bound
        self.session = Session(
            connection, join_transaction_mode="create_savepoint", expire_on_commit=False
        )
        connection.info[_JOB] = self

    def flush(self) -> None:
        """Write what the session still holds.

        Raises:
            UsageError: The job has ended the transaction.
        """
        if not self.ended_by:
            self.session.commit()
        if self.ended_by:
            raise self._not_open()

    def note_statement(self, statement: str) -> None:
        """See that the transaction is open after a statement of the job.

        Raises:
            UsageError: It was, and is not any more.
        """
        is_open = is_driver_in_transaction(self._connection) is True
        if self._was_open and not (is_open or self._is_undone or self.may_commit):
            raise self._note_end(statement)
        self._was_open = is_open

    def note_error(self, error: exc.DBAPIError) -> UsageError | None:
        """Return what an error is told as that says that the transaction is not open any more."""
        if self._database.is_conflict(error) and not isinstance(error, exc.IntegrityError):
            self._is_undone = True
        is_gone = "SAVEPOINT" in str(error.statement) and any(
            said in _GONE or str(said).startswith(_GONE[-1])
            for said in (getattr(error.orig, "sqlstate", ""), *getattr(error.orig, "args", ())[:1])
        )
        return self._note_end("a statement") if is_gone and not self._is_undone else None

    def _note_end(self, statement: str) -> UsageError:
        self.ended_by = self.ended_by or " ".join(statement.split()[:2])
        return self._not_open()

    def _not_open(self) -> UsageError:
        return UsageError(
            f"{self.ended_by} of this job has ended its transaction: what it had written is committed "
            "without an outcome (or undone, by a ROLLBACK), and so the job fails and is not run again. On MariaDB "
            "CREATE, ALTER, DROP and others commit by themselves, by text COMMIT does everywhere: "
            "change tables elsewhere, and say `session.commit()`, which stands for a savepoint"
        )

    def finish(
        self, worker_id: uuid.UUID, attempt: Attempt, result: bytes, progress: Progress | None
    ) -> None:
        """Record the outcome and commit.

        Raises:
            LeaseLost: The attempt is no longer this worker's; nothing of it has been written.
            PayloadError: The result is larger than the store is set to take.
        """
        connection, spelling = self._connection, self._database.spelling
        self._bound.check_result(connection, attempt.task, result)
        if progress is not None:
            attempts.report_progress(connection, spelling, worker_id, [(attempt, progress)])
        ending = attempts.ending_of(worker_id.bytes, attempt, Succeeded(result))
        if attempts.end_attempts(connection, spelling, [ending]) != [True]:
            raise LeaseLost(
                f"attempt {attempt.number} of job {attempt.job_id} is no longer this worker's: it was "
                "ended, or given to another; what it has written was undone"
            )
        self.may_commit = True
        connection.commit()

    def is_passing(self, error: exc.DBAPIError) -> bool:
        """Whether an error while it was finished says nothing about the job: it may run again."""
        return error.connection_invalidated or self._database.is_conflict(error)


class JobTransactions:
    """Those of one store in this process; connects when the first job needs it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._database: JobEngine | None = None
        self._bound = PayloadBound(MAX_BYTES)
        self._lock = threading.Lock()  # guards that there is one

    @contextlib.contextmanager
    def begin(self) -> Iterator[JobTransaction]:
        """Begin one; whatever is not finished at the end of the block is undone."""
        database = self._opened()
        with database.engine.connect() as connection:
            connection.begin()
            transaction = JobTransaction(database, connection, self._bound)
            try:
                yield transaction
            finally:
                # Not what it says to a database that is gone: the error of the job counts.
                with contextlib.suppress(exc.SQLAlchemyError, UsageError):
                    transaction.session.close()
                with contextlib.suppress(exc.SQLAlchemyError):
                    connection.rollback()
                connection.info.pop(_JOB, None)

    def close(self) -> None:
        """Let go of the connections that no job uses; idempotent."""
        with self._lock:
            database, self._database = self._database, None
        if database is not None:
            database.engine.dispose()

    def _opened(self) -> JobEngine:
        with self._lock:
            if self._database is None:
                self._database = kind_of(self._url).open_job_engine(self._url)
                engine = self._database.engine
                event.listen(engine, "commit", _check_commit)
                event.listen(engine, "after_cursor_execute", _note_statement)
                event.listen(engine, "handle_error", _note_error)
            return self._database


def _check_commit(connection: Connection) -> None:
    job: JobTransaction | None = connection.info.get(_JOB)
    if job is None or not job.may_commit:
        raise UsageError(
            "a job commits its own transaction with its outcome, when it returns; `session.commit()` "
            "is welcome, and stands for a savepoint, but this was the connection's own commit"
        )


def _note_statement(connection: Connection, _cursor: object, statement: str, *_: Any) -> None:
    job: JobTransaction | None = connection.info.get(_JOB)
    if job is not None:
        job.note_statement(statement)


def _note_error(context: ExceptionContext) -> BaseException | None:
    error, connection = context.sqlalchemy_exception, context.connection
    if connection is None or connection.invalidated or not isinstance(error, exc.DBAPIError):
        return None
    job: JobTransaction | None = connection.info.get(_JOB)
    return None if job is None else job.note_error(error)
