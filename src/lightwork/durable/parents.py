"""Parents: futures that a job is submitted with, as arguments or by `after`, become jobs it waits for.

A future of a job is a reference in the payload: the job's result is read when this one is run,
wherever that is. Nobody would be there to wait for any other future, so of such a one only the
value can be given: it has to be done.
"""

from concurrent import futures
from typing import Any, NamedTuple
from uuid import UUID

from lightwork.callables import is_flat, swapped
from lightwork.codec import Subject
from lightwork.codec.references import References, ResultOf
from lightwork.durable.future import DurableFuture
from lightwork.errors import UsageError
from lightwork.tasks.task import Task

_FUTURES = (futures.Future,)


class Parents(NamedTuple):
    """What a call waits for.

    Attributes:
        args: Its arguments, with references where futures were.
        kwargs: Its keyword arguments.
        references: The jobs that these refer to; None: none.
        after: All jobs that it waits for.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    references: References | None
    after: tuple[UUID, ...]


def parents_of(task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Parents:
    """Return what a call of the task waits for.

    Raises:
        UsageError: It would have to wait for a future that is no job, and is not done.
    """
    if not task.after and is_flat(args) and is_flat(kwargs):
        # As mostly.
        return Parents(args, kwargs, None, ())
    found: dict[UUID, Subject] = {}

    def refer(future: futures.Future[Any]) -> Any:
        if not isinstance(future, DurableFuture):
            return _value(future)
        found[future.job_id] = future.kept_as
        return ResultOf(future.job_id)

    args, kwargs = swapped(args, _FUTURES, refer), swapped(kwargs, _FUTURES, refer)
    after = [*found, *_ids(task.after)]
    needs_success = task.on_failure == "fail"
    references = References(tuple(found.values()), needs_success) if found else None
    return Parents(args, kwargs, references, tuple(dict.fromkeys(after)))


def _ids(after: tuple[futures.Future[Any] | UUID, ...]) -> list[UUID]:
    ids: list[UUID] = []
    for one in after:
        if isinstance(one, UUID):
            ids.append(one)
        elif isinstance(one, DurableFuture):
            ids.append(one.job_id)
        else:
            _value(one)
    return ids


def _value(future: futures.Future[Any]) -> Any:
    if not future.done():
        raise UsageError(
            f"a job cannot wait for {future!r:.200}: it is not a job, and when the job is to run "
            "this program may be gone. Wait for it here and pass its result(), or submit "
            "that call to a store too"
        )
    error: BaseException | None = (
        futures.CancelledError() if future.cancelled() else future.exception()
    )
    if error is not None:
        raise UsageError(f"a job is submitted with {future!r:.200}, which has no result") from error
    return future.result()
