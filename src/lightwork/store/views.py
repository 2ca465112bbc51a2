"""Views: what a store shows of its rows, as frozen data.

Instants are aware UTC datetimes, None where the thing has not happened. Views
never carry payloads or results, only their sizes: a listing of a thousand jobs
must not read a thousand blobs.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from lightwork.model import ANY_TASK, ErrorInfo, Lane, Policy, Progress, State


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
class AttemptView:
    """An ended attempt that did not succeed; `outcome` is failed, cancelled or lost."""

    job_id: uuid.UUID
    number: int
    worker: uuid.UUID | None
    started_at: datetime
    ended_at: datetime
    outcome: str
    error: ErrorInfo | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerView:
    """One incarnation of a worker; `is_live`: its lease had not run out when this was read."""

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
class Summary:
    """The store at a glance.

    Attributes:
        states: Number of jobs by state; every state is present.
        queues: The same for each queue that has jobs; absent states have none.
        lanes: Where jobs are ready.
        oldest_ready: Age in seconds of the ready job submitted first; 0: none is ready.
        live_workers: Workers whose lease has not run out.
        slots: Calls that the live workers may run at a time.
    """

    states: Mapping[State, int]
    queues: Mapping[str, Mapping[State, int]]
    lanes: tuple[LaneView, ...]
    oldest_ready: float
    live_workers: int
    slots: int

    @property
    def running(self) -> int:
        """Jobs that a worker holds now."""
        return self.states[State.RUNNING]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescued:
    """An attempt that was ended because its worker's lease ran out."""

    job_id: uuid.UUID
    number: int
    state_after: State
    worker: str
