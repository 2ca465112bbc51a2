"""Views: what a store shows of its rows, as frozen data.

Instants are aware UTC datetimes, None where the thing has not happened. Views
never carry payloads or results, only their sizes: a listing of a thousand jobs
must not read a thousand blobs.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from lightwork.model import ANY_TASK, ErrorInfo, Lane, Policy, Progress, State

# The state of a worker that was told to end when it has run what it holds.
DRAINING: Final = "draining"
# ... and of one that a server knows to renew its lease and not to ask for work.
NOT_POLLING: Final = "not polling"
# Whoever looks at a store every second must not count a million rows for it.
MOST_COUNTED: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitView:
    """A limit of a job.

    Attributes:
        key: Filled with the job's arguments.
        running: How many run at once; 0: any number.
        rate: How many begin in a second; 0: any number.
        burst: How many may begin at once after a pause.
        waits: The job waits for room under it.
    """

    key: str
    running: int
    rate: float
    burst: float
    waits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UniqueView:
    """The unique key of a job.

    Attributes:
        key: A hash of it, in hexadecimal digits; "": it was held for a period, which is over.
        until: Until when it is held: to the begin or the end of the job, or for a period.
        is_held: The job holds it now.
    """

    key: str
    until: Literal["begin", "end", "period"]
    is_held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """One job as people and programs look at it.

    Attributes:
        seq: The store's own order of submission.
        attempt: Number of the last attempt; 0: none yet.
        losses: Attempts whose worker died before they had begun.
        worker: Incarnation that holds it now; None: nobody.
        has_begun: Whether the attempt that is held now is known to have begun.
        error: Why it failed; None unless it did.
        unique: Its unique key; None: it has none.
    """

    id: uuid.UUID
    seq: int
    task: str
    queue: str
    priority: int
    state: State
    attempt: int
    failures: int
    crashes: int
    losses: int
    policy: Policy
    created_at: datetime
    due_at: datetime | None
    expires_at: datetime | None
    headers: Mapping[str, str]
    tags: tuple[str, ...]
    limits: tuple[LimitView, ...]
    unique: UniqueView | None
    started_at: datetime | None
    finished_at: datetime | None
    worker: uuid.UUID | None
    has_begun: bool
    cancel_requested: bool
    payload_size: int
    result_size: int
    error: ErrorInfo | None
    progress: Progress

    @property
    def lane(self) -> Lane:
        """What a claim looks for it in."""
        return Lane(self.queue, self.task)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCall:
    """What the store keeps under the id of a job that was to be submitted once more."""

    task: str
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Jobs in one state.

    Attributes:
        task: Of this task; typed without an origin it means all scripts of that name. "": any.
        queue: In this queue; "": any.
        since: Ended in the last so many seconds, or were submitted then if they have not; 0: ever.
    """

    state: State
    task: str = ""
    queue: str = ""
    since: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hindrance:
    """Why a job that has ended cannot run again now.

    Attributes:
        kind: "unique": another job holds its unique key; "parent": it needs one that has not succeeded.
        job_id: That other job.
    """

    kind: Literal["unique", "parent"]
    job_id: uuid.UUID

    @property
    def text(self) -> str:
        """What people read of it, behind the name of the job."""
        if self.kind == "unique":
            return (
                f"job {self.job_id} holds its unique key; wait for its end, or cancel it, and retry"
            )
        return f"it needs job {self.job_id}, which did not succeed; retry that one first, or both at once"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedJob:
    """A job that a filter found, and its state after it was changed, or left as it was, and why."""

    id: uuid.UUID
    seq: int
    state: State
    hindrance: Hindrance | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelativeView:
    """A job that another was submitted after, or the other way round."""

    id: uuid.UUID
    task: str
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class Relatives:
    """What a job was submitted after, and what was submitted after it: the first of each, and how many."""

    parents: tuple[RelativeView, ...]
    children: tuple[RelativeView, ...]
    parent_count: int
    child_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """An ended attempt that did not succeed.

    Attributes:
        outcome: "failed", "cancelled" or "lost".
        signal: Number of the signal that ended its child, by whoever sent it; None: none did, or
            nobody has seen it, as of a worker that died with its children.
        peak_memory: Bytes that its child, or a program that the child has waited for, has held at
            most while it ran; None: not known. That is so of attempts that were cancelled or rescued,
            of coroutines and threads, which share their process, and of those that held less than
            a program of an earlier attempt. Attempts that begin in one millisecond share it.
    """

    job_id: uuid.UUID
    number: int
    worker: uuid.UUID | None
    started_at: datetime
    ended_at: datetime
    outcome: str
    error: ErrorInfo | None
    signal: int | None = None
    peak_memory: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerView:
    """One incarnation of a worker.

    Attributes:
        tasks: Names of those that it says it knows; ANY_TASK among them: it may know others.
        resting: Those that it could not load when it tried last, with what that raised. It tries again
            after a while, a minute at most.
        is_live: Its lease had not run out when this was read.
    """

    id: uuid.UUID
    name: str
    host: str
    pid: int
    slots: int
    queues: tuple[str, ...]
    tasks: tuple[str, ...]
    state: str
    started_at: datetime
    heartbeat_at: datetime
    lease_until: datetime
    is_live: bool
    running: int
    resting: Mapping[str, str] = field(default_factory=dict)

    @property
    def claims(self) -> bool:
        """Whether it lives and takes jobs."""
        return self.is_live and self.state != DRAINING

    def knows(self, task: str) -> bool:
        """Whether it says that it knows the task, or might."""
        return task in self.tasks or ANY_TASK in self.tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneView:
    """A queue and a task with ready jobs; `waited`: seconds, the one to be claimed first."""

    queue: str
    task: str
    ready: int
    waited: float

    @property
    def lane(self) -> Lane:
        """What a claim would call it."""
        return Lane(self.queue, self.task)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    """One queue that has jobs, was paused or has a limit; absent states have no jobs.

    Attributes:
        paused_at: None: it is not.
        limit: How many of its jobs run at once; 0: any number.
    """

    name: str
    states: Mapping[State, int]
    paused_at: datetime | None
    limit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The store at a glance.

    Attributes:
        states: Number of jobs by state; every state is present. Of unfinished ones many
            more than MOST_COUNTED are not counted.
        queues: The same for each queue that has jobs; absent states have none.
        lanes: Where jobs are ready.
        oldest_ready: Age in seconds of the ready job submitted first; 0: none is ready.
        live_workers: Workers whose lease has not run out.
        slots: Calls that the live workers may run at a time.
        paused: Queues that nobody claims from.
        limits: How many jobs run at once, of each queue that has a limit of its own.
    """

    states: Mapping[State, int]
    queues: Mapping[str, Mapping[State, int]]
    lanes: tuple[LaneView, ...]
    oldest_ready: float
    live_workers: int
    slots: int
    paused: frozenset[str] = frozenset()
    limits: Mapping[str, int] = field(default_factory=dict)

    @property
    def running(self) -> int:
        """Jobs that a worker holds now."""
        return self.states[State.RUNNING]


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthView:
    """The unfinished jobs of a queue.

    Attributes:
        jobs: By state, those that have any; counted up to a bound.
        waited: Seconds, the longest of the ready jobs that are next in their lanes.
    """

    queue: str
    jobs: Mapping[State, int]
    waited: float
    is_paused: bool


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class NewsMark:
    """Where somebody is who reads news: an instant, a job, an attempt of it."""

    at_ms: int
    seq: int = 0
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsView:
    """Something that has happened to a job.

    Attributes:
        mark: When, in milliseconds of the database's clock, and to which job and attempt.
        what: "submitted"; the state in which a job ended; how an attempt ended ("attempt
            failed", "attempt lost"), "" where the job ended by it.
        seconds: From the claim to the end.
        error: Without its traceback.
    """

    mark: NewsMark
    what: str
    job_id: uuid.UUID
    task: str
    queue: str
    seconds: float
    error: ErrorInfo | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollup:
    """How often something has happened to the jobs of a queue and task in one minute.

    Attributes:
        measure: "succeeded", "retried" ... for ends of attempts; "run" and "wait" for how long jobs
            ran, and were ready before, of which each bucket is one of these; see histogram.py.
        minute: Since 1970; 0 where minutes are not told apart.
        total_ms: The milliseconds of all of them, where they are durations.
    """

    queue: str
    task: str
    measure: str
    bucket: int = 0
    minute: int = 0
    jobs: int
    total_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What has happened, minute by minute; `until` is now by the database's clock."""

    until: datetime
    rollups: tuple[Rollup, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSize:
    """What a database tells of a table; rows are an estimate, None is what it does not tell."""

    rows: int = 0
    size: int | None = None
    index_size: int | None = None
    dead_rows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableStats:
    """One table: rows, whether these are an estimate, bytes of all, of its indexes among them."""

    name: str
    rows: int
    is_estimate: bool
    size: int | None
    index_size: int | None
    dead_rows: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LargePayload:
    """A job with much to carry."""

    id: uuid.UUID
    seq: int
    task: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStats:
    """What a store holds.

    Attributes:
        size: Bytes of all tables, or of the file.
        oldest_ready: Age in seconds of the ready job submitted first; 0: none is ready.
        largest: Of the newest jobs.
    """

    size: int
    tables: tuple[TableStats, ...]
    oldest_ready: float
    largest: tuple[LargePayload, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescued:
    """An attempt that was ended because its worker's lease ran out."""

    job_id: uuid.UUID
    number: int
    queue: str
    task: str
    state_after: State
    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleView:
    """One schedule as people and programs look at it.

    Attributes:
        origin: "code", where a task declares it, or "user".
        paused_at: Since when it makes no jobs; None: it does.
        next_at: When it is due next; None: it is paused, or never due again.
        last_at: The due time of its last job, or when somebody asked for that.
        read_at: Now, by the database's clock.
        problem: Why this program cannot compute its times; "" if it can.
    """

    name: str
    task: str
    spec: str
    tz: str
    catch_up: str
    origin: str
    policy: Policy
    payload_size: int
    created_at: datetime
    paused_at: datetime | None
    next_at: datetime | None
    last_at: datetime | None
    last_job: uuid.UUID | None
    read_at: datetime
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedTimes:
    """Due times of a schedule that were passed over, as `catch_up` says.

    Attributes:
        count: How many.
        is_all: Those are all; False: there are more.
        since: The first of them.
    """

    count: int
    is_all: bool
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledRun:
    """A job that a schedule has made.

    Attributes:
        due_at: The due time that it was made for, in milliseconds.
    """

    schedule: str
    job_id: uuid.UUID
    due_at: int
