"""Model: the nouns that cross layer boundaries, as frozen data.

task      a registered function with policy (tasks.py)
job       one request to run a task with arguments; a row of the store
attempt   one run of one job by one worker under one lease
outcome   how an attempt ended; *result* is only the value
lane      the jobs of one task in one queue, as a claim looks for them
worker    a long-lived process that claims and runs jobs

Instants are aware UTC datetimes named `*_at`; durations are float seconds;
sizes are bytes. Inside the store instants are integer milliseconds of the
database clock; they become datetimes where a job is read.
"""

import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

DEFAULT_QUEUE: Final = "default"
# Among the tasks that a worker says it knows: it may know others, too.
ANY_TASK: Final = "*"


class State(StrEnum):
    """Where a job is in its life; the stored words are the shown words."""

    BLOCKED = "blocked"
    SCHEDULED = "scheduled"
    READY = "ready"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the job has its recorded outcome."""
        return self in FINAL_STATES


FINAL_STATES: Final = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait before the next attempt: base * factor**failures, capped, jittered."""

    base: float = 1.0
    factor: float = 2.0
    cap: float = 600.0
    # 0.5 means: uniformly between 50 % and 100 % of the computed delay.
    jitter: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a task declares about how its jobs are run.

    Attributes:
        queue: Named line the job waits in.
        priority: Higher runs first; any 32-bit integer.
        retries: How often a *failed* attempt is followed by another.
        backoff: Delay before such an attempt.
        retry_on: Qualified names of the exception types to retry; empty means all.
        timeout: Seconds an attempt may run before it is killed; 0 means no limit.
        max_memory: Bytes a child may hold during the attempt; 0 means no limit.
        max_crashes: At this many lost attempts the job fails as WorkerLost.
        idempotent: False: a started attempt that is lost is never run again.
        delay: Seconds between submission and the first attempt.
    """

    queue: str = DEFAULT_QUEUE
    priority: int = 0
    retries: int = 0
    backoff: Backoff = field(default_factory=Backoff)
    retry_on: tuple[str, ...] = ()
    timeout: float = 0.0
    max_memory: int = 0
    max_crashes: int = 3
    idempotent: bool = True
    delay: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job as it is submitted: the client makes the id, so a repeat is harmless."""

    id: uuid.UUID
    task: str
    payload: bytes
    policy: Policy = field(default_factory=Policy)


class Lane(NamedTuple):
    """The jobs of one task in one queue; a worker claims from lanes whose task it knows."""

    queue: str
    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a claim hands to a worker.

    `number` is the fencing token: it only ever grows, and every later write
    about this attempt names it.
    """

    job_id: uuid.UUID
    seq: int
    number: int
    task: str
    payload: bytes
    policy: Policy
    failures: int = 0
    crashes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorInfo:
    """An error as the store keeps it: text only, never rebuilt into an exception.

    Attributes:
        type: Name of its class.
        text: Its text.
        traceback: As Python prints it; "" if there is none.
        packed: The exception itself, from a child of this very program to a future of it; never
            stored, so b"" for all that comes from a store.
    """

    type: str
    text: str
    traceback: str = ""
    packed: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a running attempt says it is; `item` is its position in a map, from 0."""

    done: float
    total: float = 0.0
    note: str = ""
    item: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInfo:
    """One incarnation of a worker: a fresh random id per start, never reused.

    `tasks` are those that it knows so far, for people who ask why a job waits;
    ANY_TASK among them: too many to be listed.
    """

    id: uuid.UUID
    name: str
    host: str
    pid: int
    slots: int
    queues: tuple[str, ...] = (DEFAULT_QUEUE,)
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutcome:
    """The recorded end of a job, as its submitter reads it back."""

    job_id: uuid.UUID
    state: State
    attempt: int
    result: bytes = b""
    error: ErrorInfo | None = None
