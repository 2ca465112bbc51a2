"""Contract: what every store offers, whatever database keeps it.

The promise behind the methods: a job that `submit` returned for is kept until
it is pruned; exactly one outcome of it is recorded; the attempt number only
grows, and whoever names an old one changes nothing. Every write is one guarded
transaction. `tests/store/test_conformance*.py` are this file in executable form.

Any method may raise StoreUnavailable (the same call may succeed later; it has
changed nothing, unless the connection was lost during the commit: submit again
with the same ids to find out) and StoreError (it will not succeed).
Methods may be called from any thread; in one that runs an event loop nothing waits for
the lock for longer than a second (StoreUnavailable), for the whole loop would wait.
"""

import uuid
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from typing import Literal, Protocol

from sqlalchemy import Connection

from lightwork.lifecycle import AttemptEnd
from lightwork.model import Attempt, JobOutcome, Lane, NewJob, Progress, State, WorkerInfo
from lightwork.store.views import AttemptView, JobView, Rescued, Summary, WorkerView

WhenRunning = Literal["no", "ask", "kill"]


class Store(Protocol):
    """Jobs, their outcomes, and the workers that run them."""

    @property
    def url(self) -> str:
        """The URL that opens this store again, password included."""

    @property
    def safe_url(self) -> str:
        """The URL as it may be shown and logged."""

    # Jobs, as their submitter sees them.

    def submit(self, jobs: Sequence[NewJob]) -> list[bool]:
        """Keep jobs, all or none; False for each whose id the store knew already."""

    def submit_nowait(self, jobs: Sequence[NewJob]) -> Future[list[bool]]:
        """Do the same without waiting: they are kept once the future is done.

        A future that can be cancelled has kept nothing and never will.
        """

    def submit_on(self, connection: Connection, jobs: Sequence[NewJob]) -> list[bool]:
        """Do the same in the caller's transaction: the jobs exist if and only if it commits."""

    def states(self, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, State]:
        """Return the state of each job that exists."""

    def outcomes(self, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, JobOutcome]:
        """Return the outcome of each job that has one."""

    def progress(self, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Progress]:
        """Return what each job has last reported, where it has reported anything."""

    def cancel(self, job_ids: Iterable[uuid.UUID], *, kill: bool = False) -> dict[uuid.UUID, State]:
        """Cancel waiting jobs, ask for the end of running ones; return the states after.

        A running job stays running until its worker has stopped it; final ones stay as
        they are; unknown ids are missing from the result.
        """

    def cancel_nowait(
        self, job_ids: Iterable[uuid.UUID], *, running: WhenRunning
    ) -> Future[dict[uuid.UUID, State]]:
        """Cancel waiting jobs without waiting; the future has the states after.

        Args:
            job_ids: Which.
            running: What is done to those that run: nothing, or as `cancel` says.
        """

    def retry(self, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, State]:
        """Make failed and cancelled jobs ready again with counters at zero; return the states after."""

    # Attempts, as a worker sees them.

    def register(self, worker: WorkerInfo, *, lease: float, is_here: bool = False) -> None:
        """Make a worker known and give it a lease of so many seconds.

        Args:
            worker: Who it is.
            lease: For how long it may act without a renewal.
            is_here: It runs in this process. Where the store can tell whether a process
                lives, it is rescued as soon as that has ended, and renewals need no lock.

        Raises:
            UsageError: This id was used before; an incarnation never returns.
        """

    def renew(self, worker_id: uuid.UUID, *, lease: float) -> bool:
        """Extend a lease that has not run out; False: it has, and stays so.

        Counts only if it returns while the worker still trusts its lease.
        """

    def leave(self, worker_id: uuid.UUID) -> None:
        """Let others rescue what a worker of this process holds: it will not act again.

        Touches no database. Whoever can, signs off instead.
        """

    def sign_off(self, worker_id: uuid.UUID) -> None:
        """End a worker's lease and release without blame whatever it still holds."""

    def release_others(self, worker_id: uuid.UUID, *, held: Sequence[Attempt]) -> int:
        """Release without blame what this worker holds apart from these; return how many.

        For a worker that may have claimed more than it knows of: the answer to its claim
        was lost.
        """

    def publish_tasks(self, worker_id: uuid.UUID, tasks: Sequence[str]) -> None:
        """Keep the names of the tasks that a worker knows, for whoever asks why a job waits."""

    def lanes(self, queues: Sequence[str]) -> list[Lane]:
        """Return the lanes of these queues that have ready jobs; costs a seek for each.

        Which tasks a worker knows only the worker can say, and looking for one may run
        code of a user: so it is asked between this and the claim, outside of both.
        """

    def claim(
        self, worker_id: uuid.UUID, *, lanes: Sequence[Lane], limit: int, ahead: int = 0
    ) -> list[Attempt]:
        """Take ready jobs of these lanes.

        Queues in the order in which they are first named; within a queue the highest
        priority first, then the oldest, whatever lane it is in. Jobs of other lanes cost
        nothing. Returns nothing when the worker's lease has run out.

        Args:
            worker_id: Who takes them.
            lanes: From where.
            limit: How many can begin at once.
            ahead: How many more to take that will wait there; ends before the first job
                that may not run twice or is suspected of taking its workers down. Of
                these the claim itself says that they have begun.
        """

    def ack(
        self,
        worker_id: uuid.UUID,
        ends: Sequence[tuple[Attempt, AttemptEnd]],
        *,
        begun: Sequence[Attempt] = (),
    ) -> list[Attempt]:
        """Record how attempts ended; return those refused because they are no longer ours.

        Also records which others are known to have begun, silently skipping what is not
        ours: from then on they are blamed if this worker dies.
        """

    def report_progress(
        self, worker_id: uuid.UUID, reports: Sequence[tuple[Attempt, Progress]]
    ) -> None:
        """Record how far attempts are; silently skips those that are no longer ours."""

    def cancel_requests(self, worker_id: uuid.UUID) -> list[tuple[uuid.UUID, int, bool]]:
        """Return id and attempt of what this worker is asked to stop, and whether by a kill."""

    # Chores: any worker may do them at any time, in parallel, in bounded batches.

    def promote(self, *, limit: int = 500) -> int:
        """Make scheduled jobs ready whose time has come; return how many."""

    def rescue(self, *, limit: int = 500) -> list[Rescued]:
        """End the attempts of workers whose lease ran out.

        One that had begun counts a crash of its job, and the last one allowed fails it;
        one that is not known to have begun is not blamed.
        """

    def has_dead(self) -> bool:
        """Whether a worker is known to have died whom nobody has declared dead yet.

        Cheap: asks no database. False where only the end of a lease can tell.
        """

    def next_due_in(self) -> float | None:
        """Return seconds until the earliest scheduled job is due; None: none is scheduled."""

    def prune(self, *, older_than: float, limit: int = 1000) -> int:
        """Delete jobs that finished more than so many seconds ago; return how many."""

    def align_clock(self) -> float:
        """Bring the database clock a little nearer to this machine's wall clock.

        Never by so much that a lease or a delay would feel it. Returns the seconds by which
        the wall clock was ahead; 0.0 where the database has a clock of its own.
        """

    # Looking.

    def jobs(
        self,
        *,
        state: State | None = None,
        task: str | None = None,
        queue: str | None = None,
        limit: int = 50,
        before_seq: int | None = None,
    ) -> list[JobView]:
        """Return jobs, newest first; continue below the last `seq` for the next page."""

    def job(self, job_id: uuid.UUID) -> JobView | None:
        """Return one job, or None if there is none of this id."""

    def payloads(self, job_ids: Iterable[uuid.UUID], *, largest: int) -> dict[uuid.UUID, bytes]:
        """Return the payload of each job that exists, and b"" for one of more than `largest` bytes."""

    def attempts(self, job_id: uuid.UUID) -> list[AttemptView]:
        """Return the ended attempts of a job that did not succeed, first to last."""

    def workers(self, *, include_dead: bool = False) -> list[WorkerView]:
        """Return the workers, latest first; one whose lease ran out counts as dead."""

    def summary(self) -> Summary:
        """Return counts by state and queue without reading finished jobs."""

    def check(self) -> list[str]:
        """Return what is wrong with the stored data, a sentence each; empty: healthy."""

    def repair(self) -> list[str]:
        """Move rows that hold what lightwork never writes to the table `damaged`.

        Returns a sentence for each row, which says why and where it is now; the counts of
        finished jobs are put right.
        """

    # Waking.

    def changes(self) -> int:
        """Return a number that differs after any commit by anybody; cheap, takes no lock."""

    def wait_for_change(self, seen: int, timeout: float) -> int:
        """Wait until `changes()` differs from `seen` or the time is up; return it."""

    def hurry(self) -> None:
        """Let no call wait for the database for longer than a second any more.

        Those that wait now included: whoever calls wants to end.
        """

    def close(self) -> None:
        """Let go of files and threads; idempotent. Later calls raise StoreError."""
