"""Using: what `executor.using(session)` returns: submits in the transaction of somebody else.

It is asked for its connection at each submit, so one object serves one transaction of a session
after the other.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from sqlalchemy import Connection, exc
from sqlalchemy.orm import Session, scoped_session

from lightwork.durable.collect import collect
from lightwork.durable.future import DurableFuture
from lightwork.durable.jobs import new_job, new_jobs
from lightwork.durable.transaction.transaction_jobs import TransactionJobs
from lightwork.errors import UsageError
from lightwork.model import NewJob
from lightwork.pool.call.future import Future
from lightwork.pool.map.options import MapOptions
from lightwork.pool.map.results import Results
from lightwork.tasks.names import short_name
from lightwork.tasks.task import Task

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session

    SyncTarget = Session | scoped_session[Any] | Connection
    AsyncTarget = AsyncSession | async_scoped_session[Any] | AsyncConnection

T = TypeVar("T")
Errors = Literal["raise", "return"]
_EXPECTED: Final = "a Session, a Connection, an AsyncSession or an AsyncConnection of SQLAlchemy"


class Using:
    """Submits in the open transaction of a session or a connection.

    A job exists if and only if that transaction commits. Its future waits for nothing before:
    whoever waits for it then gets a UsageError. It is cancelled if the transaction, or the
    savepoint in which it was submitted, is rolled back.
    """

    def __init__(self, jobs: TransactionJobs, target: Session | Connection) -> None:
        self._jobs = jobs
        self._target = target

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Keep one job; see DurableExecutor.submit.

        Raises:
            UsageError: `fn` is no task, or the connection leads to another database.
        """
        task, values = self._jobs.find_task(fn)
        (future,) = self._keep(task, [new_job(self._jobs.codec, task, values(args), kwargs)])
        return future

    def submit_many(
        self, fn: Callable[..., T], calls: Iterable[tuple[Any, ...]], *, key: str | None = None
    ) -> list[DurableFuture[T]]:
        """Keep one job for each tuple of arguments, all or none; see DurableExecutor.submit_many."""
        task, values = self._jobs.find_task(fn)
        return self._keep(task, list(new_jobs(self._jobs.codec, task, map(values, calls), key)))

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        key: str | None = None,
        errors: Errors = "raise",
        ordered: bool = True,
        timeout: float | None = None,
    ) -> Results[T]:
        """Keep one job for each item, all of them now; return results to read after the commit."""
        options = MapOptions(key=key, errors=errors, ordered=ordered, timeout=timeout)
        return _results(fn, self.submit_many(fn, zip(*iterables, strict=False), key=key), options)

    def _keep(self, task: Task[..., Any], jobs: list[NewJob]) -> list[DurableFuture[Any]]:
        return self._jobs.keep(connection_of(self._target), task, jobs)


class AsyncUsing:
    """The same in an AsyncSession or AsyncConnection: nothing holds up the event loop."""

    def __init__(self, jobs: TransactionJobs, target: "AsyncSession | AsyncConnection") -> None:
        self._jobs = jobs
        self._target = target

    async def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Keep one job; see Using.submit."""
        task, values = self._jobs.find_task(fn)
        (future,) = await self._keep(task, [new_job(self._jobs.codec, task, values(args), kwargs)])
        return future

    async def submit_many(
        self, fn: Callable[..., T], calls: Iterable[tuple[Any, ...]], *, key: str | None = None
    ) -> list[DurableFuture[T]]:
        """Keep one job for each tuple of arguments; see Using.submit_many."""
        task, values = self._jobs.find_task(fn)
        jobs = list(new_jobs(self._jobs.codec, task, map(values, calls), key))
        return await self._keep(task, jobs)

    async def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        key: str | None = None,
        errors: Errors = "raise",
        ordered: bool = True,
        timeout: float | None = None,  # noqa: ASYNC109 - of the results
    ) -> Results[T]:
        """Keep one job for each item; return results for `async for`, after the commit."""
        options = MapOptions(key=key, errors=errors, ordered=ordered, timeout=timeout)
        futures = await self.submit_many(fn, zip(*iterables, strict=False), key=key)
        return _results(fn, futures, options)

    async def _keep(self, task: Task[..., Any], jobs: list[NewJob]) -> list[DurableFuture[Any]]:
        return await self._target.run_sync(
            lambda target: self._jobs.keep(connection_of(target), task, jobs)
        )


def open_using(jobs: TransactionJobs, target: object) -> Using | AsyncUsing:
    """Return what submits in the transaction of whatever of SQLAlchemy's this is.

    Raises:
        UsageError: It has no transaction.
    """
    if hasattr(target, "registry") and callable(target):
        # A scoped_session or async_scoped_session: the one of this thread or task.
        target = target()
    if isinstance(target, Session | Connection):
        return Using(jobs, target)
    # Not their classes: to import these costs every program 20 ms that has none.
    if hasattr(target, "run_sync") and (
        hasattr(target, "sync_session") or hasattr(target, "sync_connection")
    ):
        return AsyncUsing(jobs, target)  # type: ignore[arg-type] # as far as can be seen
    raise UsageError(f"using() expects {_EXPECTED}; seen: an object of {type(target).__name__}")


def connection_of(target: Session | Connection) -> Connection:
    """Return the connection in whose transaction the target is.

    Raises:
        UsageError: A session has several databases, and does not know which.
    """
    if isinstance(target, Connection):
        return target
    try:
        return target.connection()
    except exc.UnboundExecutionError as error:
        raise UsageError(
            f"the session does not say which database jobs go to ({error}); pass the connection: "
            "`executor.using(session.connection(bind_arguments={...}))`"
        ) from error


def _results(
    fn: Callable[..., Any], futures: list[DurableFuture[Any]], options: MapOptions
) -> Results[Any]:
    rest = iter(futures)

    def check_committed() -> None:
        for future in futures:
            future.check_waitable()

    results, _ = collect(
        lambda count: list(islice(rest, count)),
        lambda taken: taken,
        options,
        ahead=len(futures) or 1,
        batch=len(futures) or 1,
        abandon=lambda _: None,
        abandon_soon=lambda _: None,
        remind=lambda future: future.tell_why(),
        waited_for=lambda future: future.waited_for(),
        check_running=check_committed,
        name=short_name(fn.name) if isinstance(fn, Task) else "a map",
    )
    return results
