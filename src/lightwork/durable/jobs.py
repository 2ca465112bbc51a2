"""Jobs of calls: from a task and its arguments to what a store keeps. Knows no store.

What a store has told of a job that it knew already is compared with the call here (check_known).
"""

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeVar
from uuid import UUID

from lightwork.bounds.keys import filled_limits, signature, unique_key
from lightwork.callables import check_callable
from lightwork.codec import Codec, Subject
from lightwork.codec.references import references_of, with_references
from lightwork.durable.ids import keyed_job_id, new_job_id
from lightwork.durable.parents import parents_of
from lightwork.errors import PayloadError, UsageError
from lightwork.model import NewJob
from lightwork.store.views import KnownCall
from lightwork.tasks.task import Task

T = TypeVar("T")
# Characters of a call's arguments in an error.
_MOST_SHOWN: Final = 200
# Jobs, and bytes of their payloads, that are kept in one transaction.
BATCH: Final = 1000
BATCH_BYTES: Final = 16 << 20
# From the arguments of a call to those of the job that is kept of it.
Values: TypeAlias = Callable[[Iterable[Any]], tuple[Any, ...]]


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
    """Return the call as a job, of a new id unless one is given, or the task names one.

    Raises:
        PayloadError: An argument cannot be stored.
        UsageError: One is a future that a job cannot wait for.
    """
    job_id = job_id or task.job_id or new_job_id()
    policy = task.policy
    if not (kwargs or task.after or policy.unique or policy.limit):
        # As mostly: then what follows has nothing to find, and takes three times as long.
        found = codec.encode_flat_call(args)
        if found is not None:
            return NewJob(id=job_id, task=task.name, payload=found, policy=policy)
    parents = parents_of(task, args, kwargs)
    subject = Subject(job_id, task.name)
    payload = codec.encode_call(subject, parents.args, parents.kwargs, fn=task.called)
    if parents.references is not None:
        payload = with_references(payload, parents.references)
    return NewJob(
        id=job_id,
        task=task.name,
        payload=payload,
        policy=policy,
        after=parents.after,
        needs_success=task.on_failure == "fail",
        unique=unique_key(task, parents.args, parents.kwargs, digest=codec.payload_digest),
        limits=filled_limits(task, parents.args, parents.kwargs),
    )


def new_jobs(
    codec: Codec, task: Task[..., Any], calls: Iterable[tuple[Any, ...]], key: str | None
) -> Iterator[NewJob]:
    """Return a job for each tuple of positional arguments, as they are taken; see KeyedJobs.

    To take one raises PayloadError if an argument cannot be stored.
    """
    keyed = KeyedJobs(codec, task, key)
    return (keyed.make(tuple(args), {}) for args in calls)


def batches(jobs: Iterable[NewJob]) -> Iterator[list[NewJob]]:
    """Yield jobs as many at a time as are kept in one transaction; none of them is held here then."""
    batch: list[NewJob] = []
    size = 0
    for job in jobs:
        batch.append(job)
        size += len(job.payload)
        if len(batch) >= BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _check_key(key: str) -> None:
    seen: object = key
    if not isinstance(seen, str):
        raise UsageError(f"expected a text as key, seen {type(seen).__name__}")
    try:
        key.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"expected a key that is Unicode, seen {key!r:.200} with half a character"
        ) from error


class KeyedJobs:
    """Makes the jobs of one map: with a key, equal calls are the same jobs in every run.

    The n-th of equal calls is a job of its own. Without a key every job is new.
    """

    def __init__(self, codec: Codec, task: Task[..., Any], key: str | None) -> None:
        if task.job_id is not None:
            raise UsageError(
                f"job_id={task.job_id} names one job, and this submits many; give a key instead, "
                "which names each by its arguments"
            )
        if key is not None:
            _check_key(key)
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
        parents = parents_of(self._task, args, kwargs)
        digest = self._codec.payload_digest(parents.args, parents.kwargs, fn=self._task.called)
        self._seen[digest] += 1
        job_id = keyed_job_id(self._key, self._task.name, digest, self._seen[digest])
        return new_job(self._codec, self._task, args, kwargs, job_id)


# A job id that was chosen by hand belongs to one call. A submit whose id the store knows keeps nothing, so that
# it was for another call is found out before anything has happened. Compared are the names of the tasks, and
# arguments that are plain data, as the signature binds them: by whatever names they were given, left out
# or not. A pickle may differ each time, and a future stands for another job in each run of a
# program: calls with such arguments are taken for the same.


def known_calls(task: Task[..., Any]) -> dict[UUID, KnownCall] | None:
    """Return where a submit notes what it knew before; None: no id of these was chosen by hand."""
    return None if task.job_id is None else {}


def check_known(
    codec: Codec,
    task: Task[..., Any],
    jobs: Sequence[NewJob],
    known: Mapping[UUID, KnownCall] | None,
) -> None:
    """Refuse jobs whose id the store knew as that of another call.

    Raises:
        UsageError: There is one.
    """
    for job in jobs if known else ():
        kept = known.get(job.id) if known else None
        if kept is None:
            continue
        if kept.task != job.task:
            raise _other(job, f"{kept.task}", f"{job.task}")
        if kept.payload == job.payload:
            continue
        before, now = (
            _bound_as_kept(task, job.id, kept.payload),
            _bound_as_kept(task, job.id, job.payload),
        )
        if before is not None and now is not None and _differ(codec, task, before, now):
            raise _other(job, _shown(task, before), _shown(task, now))


def _bound_as_kept(
    task: Task[..., Any], job_id: UUID, payload: bytes
) -> inspect.BoundArguments | None:
    """Return the arguments of a call; None: they cannot be compared."""
    try:
        if references_of(payload) is not None:
            return None
        # Without a key: of plain data only.
        args, kwargs = Codec().decode_call(Subject(job_id, task.name), payload, task.called)
        return signature(task.called).bind(*args, **kwargs)
    except (PayloadError, TypeError, ValueError):
        return None


def _differ(
    codec: Codec,
    task: Task[..., Any],
    before: inspect.BoundArguments,
    now: inspect.BoundArguments,
) -> bool:
    names = before.arguments.keys() | now.arguments.keys()
    try:
        return _digest(codec, task, before, names) != _digest(codec, task, now, names)
    except PayloadError:
        # A default that is not plain data.
        return False


def _digest(
    codec: Codec, task: Task[..., Any], bound: inspect.BoundArguments, names: set[str]
) -> bytes:
    whole = inspect.BoundArguments(bound.signature, bound.arguments.copy())
    whole.apply_defaults()
    for name in whole.arguments.keys() - names:
        del whole.arguments[name]
    return codec.payload_digest(whole.args, whole.kwargs, fn=task.called)


def _shown(task: Task[..., Any], bound: inspect.BoundArguments) -> str:
    values = [f"{name}={value!r}" for name, value in bound.arguments.items()]
    return f"{task.name}({', '.join(values):.{_MOST_SHOWN}})"


def _other(job: NewJob, kept: str, asked: str) -> UsageError:
    return UsageError(
        f"job_id={job.id} belongs to another call: the job of this id is {kept}, and {asked} was asked "
        "for; nothing was submitted. Give each call an id of its own"
    )
