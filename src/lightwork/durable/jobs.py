"""Jobs of calls: from a task and its arguments to what a store keeps. Knows no store."""

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from lightwork.codec import Codec, Subject
from lightwork.errors import UsageError
from lightwork.model import NewJob
from lightwork.tasks import Task, check_callable
from lightwork.work.ids import keyed_job_id, new_job_id

T = TypeVar("T")


def check_task(fn: Callable[..., T]) -> Task[..., T]:
    """Return the function as the task that it must be.

    Raises:
        UsageError: No worker could find it by name; the text shows what to write.
    """
    check_callable(fn, "a durable executor")
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


def new_job(
    codec: Codec,
    task: Task[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    job_id: UUID | None = None,
) -> NewJob:
    """Return the call as a job, of a new id unless one is given.

    Raises:
        PayloadError: An argument cannot be stored.
    """
    job_id = job_id or new_job_id()
    payload = codec.encode_call(Subject(job_id, task.name), args, kwargs, fn=task.fn)
    return NewJob(id=job_id, task=task.name, payload=payload, policy=task.policy)


class KeyedJobs:
    """Makes the jobs of one map: with a key, equal calls are the same jobs in every run.

    The n-th of equal calls is a job of its own. Without a key every job is new.
    """

    def __init__(self, codec: Codec, task: Task[..., Any], key: str | None) -> None:
        self._codec = codec
        self._task = task
        self._key = key
        self._seen: Counter[bytes] = Counter()

    def make(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> NewJob:
        """Return the job of the next call.

        Raises:
            PayloadError: An argument cannot be stored.
        """
        if self._key is None:
            return new_job(self._codec, self._task, args, kwargs)
        digest = self._codec.payload_digest(args, kwargs, fn=self._task.fn)
        self._seen[digest] += 1
        job_id = keyed_job_id(self._key, self._task.name, digest, self._seen[digest])
        return new_job(self._codec, self._task, args, kwargs, job_id)
