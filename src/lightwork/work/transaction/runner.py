"""Transaction runner: runs attempts whose writes and outcome are one transaction.

It differs from Runner in who records the end of an attempt that has succeeded: not the worker,
which hears of it as of something that is done (Committed), but this, on a connection of its own.

    session, arguments ──▶ task ──▶ result ──▶ outcome and COMMIT ──▶ Committed
    it raised, its value cannot be stored, refused ──▶ ROLLBACK ──▶ Raised, as of any other task
    it has ended the transaction by a statement of its own ──▶ Raised, for good: never twice

If the child is killed between the commit and its answer the worker takes the attempt for lost, and
the store refuses that: the attempt has ended. The same if nobody knows whether the commit
took place: another end is refused then, or it did not take place.
"""

import time
import uuid
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import exc

from lightwork.codec import Codec, Subject
from lightwork.errors import LeaseLost, PayloadError, StoreError
from lightwork.model import Attempt, Progress
from lightwork.pool.call.current import Current, current, run_with
from lightwork.pool.child import peak_memory
from lightwork.store.job_transactions import JobTransaction, JobTransactions
from lightwork.tasks.task import Task
from lightwork.work.inputs.filling import decoded_call
from lightwork.work.runner import Committed, Outcome, Runner, Snooze

# Seconds until a job is run again whose transaction another one has undone, or the network.
_AGAIN: Final = 0.5
# What undoes it each time is no accident: a time-out of the server for idle transactions, say.
_MOST_AGAIN: Final = 20
# Of this process, by the store's URL.
_open: Final[dict[str, JobTransactions]] = {}


class TransactionRunner(Runner):
    """A task with transaction=True made ready to run attempts.

    The URL of the store, which may hold a password, travels as this object does: through the pipe to
    a child, never among its arguments or in its environment.
    """

    def __init__(
        self,
        task: Task[..., Any],
        codec: Codec,
        name: str,
        store_url: str,
        *,
        sends_errors: bool = False,
    ) -> None:
        super().__init__(task, codec, name, sends_errors=sends_errors)
        self._store_url = store_url

    def arguments(self, attempt: Attempt, worker_id: uuid.UUID) -> tuple[Any, ...]:
        """Return what it is called with for an attempt: all that its fence and its end are made of."""
        return (worker_id, replace(attempt, payload=b""), attempt.payload)

    def __call__(  # type: ignore[override] # its arguments are its own matter
        self, worker_id: uuid.UUID, attempt: Attempt, payload: bytes
    ) -> Outcome:
        """Run one attempt; whatever goes wrong is described, nothing is raised."""
        started = time.monotonic()
        peak_memory.begin(started)
        try:
            return self._run_in_transaction(worker_id, attempt, payload, started)
        finally:
            peak_memory.end()

    def _run_in_transaction(
        self, worker_id: uuid.UUID, attempt: Attempt, payload: bytes, started: float
    ) -> Outcome:
        try:
            subject = Subject(attempt.job_id, self.name)
            args, kwargs = decoded_call(self.codec, subject, payload, self.task.called)
        except PayloadError as error:
            return self._raised(error, started, is_final=True)
        heard = _Heard(current(), worker_id, attempt)
        try:
            with transactions_of(self._store_url).begin() as transaction:
                heard.transaction = transaction
                run = self._around(attempt if self.middleware else None)
                value = run_with(heard.call, run, (transaction.session, *args), kwargs)
                transaction.flush()
                return self._finish(transaction, heard, value, started)
        except BaseException as error:
            begun = heard.transaction
            if begun is None and isinstance(error, exc.DBAPIError | StoreError):
                # The database is out of reach, which is not the task's failure.
                return Snooze(_AGAIN, time.monotonic() - started)
            # What it has committed itself would be written twice.
            return self._raised(error, started, is_final=begun is not None and begun.ended_by != "")

    def _finish(
        self, transaction: JobTransaction, heard: "_Heard", value: object, started: float
    ) -> Outcome:
        attempt = heard.of
        try:
            subject = Subject(attempt.job_id, self.name)
            result = self.codec.encode_result(subject, value, fn=self.task.fn)
        except PayloadError as error:
            return self._raised(error, started, is_final=True)
        try:
            transaction.finish(heard.worker_id, attempt, result, heard.progress)
        except exc.DBAPIError as error:
            if transaction.is_passing(error) and attempt.number < _MOST_AGAIN:
                return Snooze(_AGAIN, time.monotonic() - started)
            raise
        except PayloadError as error:
            # Larger than the store is set to take.
            return self._raised(error, started, is_final=True)
        except LeaseLost as error:
            # Nobody will record it; the log of the worker says that it was refused.
            return self._raised(error, started, is_final=False)
        return Committed(result, time.monotonic() - started)


class _Heard:
    """One attempt as its task sees it; remembers what it has last reported."""

    def __init__(self, outer: Current, worker_id: uuid.UUID, attempt: Attempt) -> None:
        self.worker_id = worker_id
        self.of = attempt
        self.progress: Progress | None = None
        # Once it has begun.
        self.transaction: JobTransaction | None = None
        self._tell = outer._report
        self.call = Current(
            outer.worker,
            self._report,
            outer._is_cancelled,
            job_id=str(attempt.job_id),
            attempt=attempt.number,
            headers=attempt.headers,
        )

    def _report(self, done: float, total: float, note: str) -> None:
        self._tell(done, total, note)
        self.progress = Progress(done=done, total=total, note=note)


def transactions_of(url: str) -> JobTransactions:
    """Return those on a store in this process, which all its tasks share."""
    # Set by one operation: two threads may be the first.
    return _open.get(url) or _open.setdefault(url, JobTransactions(url))


def close_transactions(url: str) -> None:
    """Let go of what is open here on a store and not in use; for workers that run jobs in threads."""
    if (found := _open.pop(url, None)) is not None:
        found.close()
