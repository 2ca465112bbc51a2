"""Model: the nouns that cross layer boundaries, as frozen data.

task      a registered function with policy (tasks/)
job       one request to run a task with arguments; a row of the store
attempt   one run of one job by one worker under one lease
outcome   how an attempt ended; *result* is only the value
lane      the jobs of one task in one queue, as a claim looks for them
worker    a long-lived process that claims and runs jobs
schedule  a rule by which a task becomes a job again and again

Instants are aware UTC datetimes named `*_at`; durations are float seconds;
sizes are bytes. Inside the store instants are integer milliseconds of the
database clock; they become datetimes where a job is read.
"""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal, NamedTuple

DEFAULT_QUEUE: Final = "default"
# Among the tasks that a worker says it knows: it may know others, too.
ANY_TASK: Final = "*"
# Seconds; 31 years.
_FOR_EVER: Final = 1e9


class State(StrEnum):
    """Where a job is in its life; the stored words are the shown words."""

    __module__ = "lightwork"

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


class CatchUp(StrEnum):
    """What becomes of due times of a schedule that nobody was there for."""

    # No job.
    NONE = "none"
    # A job for the latest of them.
    ONE = "one"
    # A job for each.
    ALL = "all"


FINAL_STATES: Final = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait before the next attempt: base * factor**failures, capped, jittered."""

    __module__ = "lightwork"

    base: float = 1.0
    factor: float = 2.0
    cap: float = 600.0
    # 0.5 means: uniformly between 50 % and 100 % of the computed delay.
    jitter: float = 0.5


OnConflict = Literal["skip", "replace", "raise"]


@dataclass(frozen=True, slots=True)
class Unique:
    """At most one job of a task and a key at a time, whoever submits, in a store.

    Attributes:
        key: Filled with the arguments by their names, such as "user:{user_id}"; "": all of them.
        until: When the key is free again: "begin": as soon as a worker has claimed the job; "end":
            when that has its outcome.
        period: Seconds after the submit for which the key is held instead, whatever becomes of
            the job; 0: it is `until` that counts.
        on_conflict: What another submit does meanwhile: "skip": its future is that of the job
            which is there; "replace": that job is cancelled if it still waits; "raise" DuplicateJob.
    """

    __module__ = "lightwork"

    key: str = ""
    until: Literal["begin", "end"] = field(default="end", kw_only=True)
    period: float = field(default=0.0, kw_only=True)
    on_conflict: OnConflict = field(default="skip", kw_only=True)


@dataclass(frozen=True, slots=True)
class Limit:
    """How many jobs of a key run at once, and how many begin in a while, on all workers of a store.

    Attributes:
        key: Filled with the arguments by their names, such as "tenant:{tenant}"; whoever names
            the same one shares the limit, whatever the task.
        running: How many run at once; 0: any number.
        rate: How many begin in `per` seconds; 0: any number.
        per: Seconds.
        burst: How many may begin at once after a pause; 0: what comes in a second, 1 at least. In
            any t seconds there begin burst + rate * t / per at most.
    """

    __module__ = "lightwork"

    key: str
    running: int = field(default=0, kw_only=True)
    rate: float = field(default=0.0, kw_only=True)
    per: float = field(default=1.0, kw_only=True)
    burst: int = field(default=0, kw_only=True)


class UniqueKey(NamedTuple):
    """The key of one job: 16 bytes of a hash; the rest as in Unique."""

    key: bytes
    until: str
    period: float
    on_conflict: OnConflict


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a task declares about how its jobs are run.

    Attributes:
        queue: Named line the job waits in.
        priority: Higher runs first; any 32-bit integer above -2**31, whose negative would be none.
        retries: How often a *failed* attempt is followed by another.
        backoff: Delay before such an attempt.
        retry_on: Qualified names of the exception types to retry; empty means all.
        timeout: Seconds an attempt may run before it is killed; 0 means no limit.
        max_memory: Bytes a child may hold during the attempt; 0 means no limit.
        max_crashes: At this many lost attempts the job fails as WorkerLost.
        idempotent: False: a started attempt that is lost is never run again.
        delay: Seconds between submission and the first attempt.
        at: Aware instant before which it does not begin, instead of `delay`; None: there is none.
        expires: Seconds after which a job that has not begun is cancelled, from its submission,
            or from the end of `delay`, or from `at`; 0: never. In a store.
        unique: Which other jobs there may not be beside it; None: any may. In a store.
        limit: How many jobs of a key may run, or begin, beside it. In a store.
        tags: Words that a job can be found by. In a store.
        headers: Names and texts that travel with a job, such as a trace context. In a store.
    """

    __module__ = "lightwork"

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
    at: datetime | None = None
    expires: float = 0.0
    unique: Unique | None = None
    limit: tuple[Limit, ...] = ()
    tags: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """For how many seconds a job is kept that ended in each state; inf: for ever.

    Its results and attempts are kept as long. Unfinished jobs are always kept.
    """

    __module__ = "lightwork"

    # A week: for whoever asks again. A month for what somebody may have to look into.
    succeeded: float = 7 * 86_400.0
    failed: float = 30 * 86_400.0
    cancelled: float = 7 * 86_400.0

    @classmethod
    def all(cls, seconds: float) -> "Retention":
        """Return that all are kept for as long."""
        return cls(succeeded=seconds, failed=seconds, cancelled=seconds)

    def ages(self) -> dict[State, float]:
        """Return the states of which anything is ever deleted, with the seconds for each."""
        ages = {
            State.SUCCEEDED: self.succeeded,
            State.FAILED: self.failed,
            State.CANCELLED: self.cancelled,
        }
        return {state: age for state, age in ages.items() if age < _FOR_EVER}


DEFAULT_RETENTION: Final = Retention()


# Not frozen, though nobody changes it: of a submit of many each is one, and that takes four times as long.
@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class NewJob:
    """A job as it is submitted: the client makes the id, so a repeat is harmless.

    Attributes:
        after: Jobs that it waits for, of the same store.
        needs_success: It fails if one of them does; else it runs whatever becomes of them.
    """

    id: uuid.UUID
    task: str
    payload: bytes
    policy: Policy = field(default_factory=Policy)
    after: tuple[uuid.UUID, ...] = ()
    needs_success: bool = True
    unique: UniqueKey | None = None
    # With keys that are filled.
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSchedule:
    """A schedule as it is declared: when a task is to become a job, and with what.

    Attributes:
        name: Of those that are declared in code, the name of the task.
        spec: Fields of cron, or an interval; checked, as schedule/rules.py writes it.
        payload: Plain data: it is the same for every job.
        unique: Of all its jobs: they have the same arguments.
        limits: With keys that are filled, of all its jobs.
        is_code: It is declared at a task, and changes with the code.
    """

    name: str
    task: str
    spec: str
    payload: bytes
    tz: str = "UTC"
    catch_up: CatchUp = CatchUp.ONE
    policy: Policy = field(default_factory=Policy)
    unique: UniqueKey | None = None
    limits: tuple[Limit, ...] = ()
    is_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all programs that use a store are told to do.

    Attributes:
        name: "max_payload": the bytes that the payload of a job may have when it is submitted, and its result.
        value: A number of those.
        default: What it is where nobody has set it.
        set_by: As whoever it was calls himself; "": nobody.
        set_at: None: nobody has set it.
    """

    name: str
    value: int
    default: int
    set_by: str = ""
    set_at: datetime | None = None

    @property
    def who(self) -> str:
        """Who has said so, and when, as people read it."""
        if self.set_at is None:
            return "the default"
        return f"set by {self.set_by} on {self.set_at:%Y-%m-%d at %H:%M} UTC"


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
    # A sum of the TIE_* of store/tables/jobs.py: what its end has to look after.
    ties: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    # Seconds since it was submitted, or was due.
    waited: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorInfo:
    """An error as the store keeps it: text only, never rebuilt into an exception.

    Attributes:
        type: Name of its class.
        text: Its text.
        traceback: As Python prints it; "" if there is none.
        packed: The exception itself, from a child of this very program to a future of it; never
            stored, so b"" for all that comes from a store.
        signal: Number of the signal that ended the child of the attempt; None: none did.
        peak_memory: Bytes that the child has held at most during the attempt; None: not known. Like
            `signal` it is kept with the attempt (AttemptView), and None in what comes from a store.
    """

    type: str
    text: str
    traceback: str = ""
    packed: bytes = field(default=b"", repr=False, compare=False)
    signal: int | None = None
    peak_memory: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a running attempt says it is; `item` is its position in a map, from 0."""

    __module__ = "lightwork"

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
