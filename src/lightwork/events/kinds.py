"""Kinds: one class for each thing that happens, with all that is known of it.

Every job is told to end exactly once, as Succeeded, Failed or Cancelled. What ends an attempt and
not the job is Retried, Snoozed, Lost or Released. Quarantined is an attempt that was lost and a
job that has failed by it, so it is both a Lost and a Failed: whoever listens to either hears it.

lifecycle.py has events of its own, which move a job from state to state and know no job. These
here are for the eye, and change nothing.
"""

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, Final, TypeVar

from lightwork.model import ErrorInfo, Progress, State

_now: Final[Callable[[], datetime]] = partial(datetime.now, UTC)
_K = TypeVar("_K", bound=type[Any])


def _public(kind: _K) -> _K:
    kind.__module__ = "lightwork"
    return kind


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that has happened; `at` is when, as whoever tells it knows."""

    at: datetime = field(default_factory=_now)

    @property
    def word(self) -> str:
        """What it is called in logs: job_succeeded, worker_started."""
        return _word(type(self).__name__, is_of_job=isinstance(self, JobEvent))


@_public
@dataclass(frozen=True, kw_only=True)
class JobEvent(Event):
    """Something has happened to a job, or to a call of an executor of this machine.

    Attributes:
        job_id: Of the job; a call that is none has one as well, which is known nowhere else.
        seq: The store's number of the job; 0: it has none, or is not known.
        task: Name of the task or function.
        queue: Where the job waits; "" for calls.
        attempt: Number of the attempt; 0: not of an attempt, or it is not known.
        worker: Id of the worker that has told it; "": unknown.
    """

    job_id: uuid.UUID
    task: str = ""
    seq: int = 0
    queue: str = ""
    attempt: int = 0
    worker: str = ""


@_public
@dataclass(frozen=True, kw_only=True)
class Submitted(JobEvent):
    """A job was kept, or a call was taken."""


@_public
@dataclass(frozen=True, kw_only=True)
class Claimed(JobEvent):
    """A worker took the job."""


@_public
@dataclass(frozen=True, kw_only=True)
class Started(JobEvent):
    """The attempt has begun; of a job that ends within a tenth of a second it is not told."""


@_public
@dataclass(frozen=True, kw_only=True)
class Progressed(JobEvent):
    """The attempt said how far it is."""

    progress: Progress


@_public
@dataclass(frozen=True, kw_only=True)
class Succeeded(JobEvent):
    """The job has its result; `seconds` the function ran, 0 where that is not known."""

    seconds: float = 0.0


@_public
@dataclass(frozen=True, kw_only=True)
class Retried(JobEvent):
    """The attempt failed, and another follows after `delay` seconds."""

    error: ErrorInfo
    delay: float = 0.0


@_public
@dataclass(frozen=True, kw_only=True)
class Snoozed(JobEvent):
    """The task has asked to be run again after `delay` seconds; nothing has failed."""

    delay: float = 0.0


@_public
@dataclass(frozen=True, kw_only=True)
class Failed(JobEvent):
    """The job failed for good."""

    error: ErrorInfo


@_public
@dataclass(frozen=True, kw_only=True)
class Lost(JobEvent):
    """The child, worker or machine died under the attempt; see Quarantined."""

    error: ErrorInfo


@_public
@dataclass(frozen=True, kw_only=True)
class Quarantined(Lost, Failed):
    """It was lost once too often, or may not be run twice: the job failed by that."""


@_public
@dataclass(frozen=True, kw_only=True)
class Cancelled(JobEvent):
    """Somebody asked for its end."""


@_public
@dataclass(frozen=True, kw_only=True)
class Released(JobEvent):
    """The worker handed the attempt back, without blame."""


@_public
@dataclass(frozen=True, kw_only=True)
class Refused(JobEvent):
    """The store did not take the end of the attempt: it had been given to somebody else."""


@_public
@dataclass(frozen=True, kw_only=True)
class Rescued(JobEvent):
    """The attempt of a worker that had died was ended; `state` is what became of the job.

    Attributes:
        of: Name of the worker that died.
        state: Of the job now.
    """

    of: str
    state: State


@_public
@dataclass(frozen=True, kw_only=True)
class WorkerEvent(Event):
    """Something has happened to a worker.

    Attributes:
        worker: Id of its incarnation.
        name: What people call it.
    """

    worker: str
    name: str = ""


@_public
@dataclass(frozen=True, kw_only=True)
class WorkerStarted(WorkerEvent):
    """It is at work."""


@_public
@dataclass(frozen=True, kw_only=True)
class WorkerStopping(WorkerEvent):
    """It was asked to stop while it holds jobs, which get `grace` seconds to finish."""

    held: int
    grace: float


@_public
@dataclass(frozen=True, kw_only=True)
class WorkerStopped(WorkerEvent):
    """It has ended."""


@_public
@dataclass(frozen=True, kw_only=True)
class WorkerLeaseLost(WorkerEvent):
    """Its lease ran out while it held jobs, which are others' now; it begins anew."""

    held: int


@cache
def _word(name: str, *, is_of_job: bool) -> str:
    words = re.sub(r"(?<=.)([A-Z])", r"_\1", name).lower()
    return f"job_{words}" if is_of_job else words


def values_of(event: Event) -> Iterator[tuple[str, Any]]:
    """Yield what is known of an event, apart from when it was and from what is empty."""
    for one in fields(event):
        value = getattr(event, one.name)
        if one.name != "at" and value not in ("", 0):
            yield {"job_id": "job"}.get(one.name, one.name), value
