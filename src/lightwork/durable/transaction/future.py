"""Future of a job that was submitted in a transaction of the user's own, which decides whether it exists.

Until that is over there is nothing to wait for: who waits in the thread that would commit waits for
ever. So whoever does is told. A callback may be added at any time.
"""

from collections.abc import Generator
from typing import Any, Protocol, TypeVar
from uuid import UUID

from lightwork.durable.control import JobControl
from lightwork.durable.future import DurableFuture
from lightwork.durable.waits.inside import Waiters
from lightwork.errors import UsageError
from lightwork.model import ErrorInfo, Progress
from lightwork.pool.call.future import CancelMode

T = TypeVar("T")


class Deciding(Protocol):
    """The transaction that a job is a part of."""

    def is_open(self) -> bool:
        """Whether it has neither been committed nor rolled back."""

    def settle(self) -> bool:
        """Let futures wait for outcomes if it was committed meanwhile; whether it is over."""


class TransactionFuture(DurableFuture[T]):
    """A future that waits for nothing before its job's transaction is committed."""

    def __init__(self, job_id: UUID, control: JobControl, transaction: Deciding) -> None:
        super().__init__(job_id, control)
        self._transaction = transaction
        # Where `concurrent.futures.wait` and `as_completed` say that they wait.
        self._waiters = _Waiters(self, control.waits)

    def result(self, timeout: float | None = None) -> T:
        """Return what the call returned; raises UsageError before the commit."""
        self.check_waitable()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what the call raised, or None; raises UsageError before the commit."""
        self.check_waitable()
        return super().exception(timeout)

    def __await__(self) -> Generator[Any, None, T]:
        self.check_waitable()
        return super().__await__()

    def cancel(self, *, running: CancelMode = "no") -> bool:
        """Cancel the job; False before the commit, where only a rollback takes it back."""
        return self._is_kept() and super().cancel(running=running)

    async def cancel_async(self, *, running: CancelMode = "no") -> bool:
        """Do the same without holding up the event loop."""
        return self._is_kept() and await super().cancel_async(running=running)

    @property
    def progress(self) -> Progress | None:
        """What the job has last reported; None before the commit."""
        return None if self._is_undecided() else super().progress

    def note_rollback(self) -> None:
        """Say why it is about to be cancelled."""
        text = "the transaction in which it was submitted was rolled back, so it never existed"
        self._why_cancelled = ErrorInfo(type="RolledBack", text=text)

    def _is_kept(self) -> bool:
        # A commit that is seen at this moment has not been told to those who bring outcomes.
        return self.done() or not (self._is_undecided() or self._call is None)

    def _is_undecided(self) -> bool:
        return not self.done() and not self._transaction.settle()

    def check_waitable(self) -> None:
        """Raise before the commit."""
        if self._is_undecided():
            raise self._not_committed()

    def _not_committed(self) -> UsageError:
        return UsageError(
            f"job {self.job_id} is a part of a transaction that is still open, so nobody can run it; "
            "commit first, then wait"
        )


class _Waiters(Waiters):
    """Refuses those who would wait before the commit."""

    _future: TransactionFuture[Any]

    def append(self, waiter: Any) -> None:
        """Let somebody wait. Called with the lock of the future, so nothing is settled here."""
        future = self._future
        if not future.done() and future._transaction.is_open():
            raise future._not_committed()
        super().append(waiter)
