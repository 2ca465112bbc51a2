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
from lightwork.model import (
    Attempt,
    JobOutcome,
    Lane,
    NewJob,
    Progress,
    Retention,
    State,
    WorkerInfo,
)
from lightwork.store.contracts.admin import AdminStore
from lightwork.store.contracts.chores import Chores
from lightwork.store.contracts.primitives import PrimitiveStore
from lightwork.store.views import (
    ChangedJob,
    Hindrance,
    JobFilter,
    KnownCall,
    Rescued,
)

WhenRunning = Literal["no", "ask", "kill"]


class Store(AdminStore, PrimitiveStore, Protocol):
    """Jobs, their outcomes, and the workers that run them."""

    @property
    def url(self) -> str:
        """The URL that opens this store again, password included."""

    @property
    def safe_url(self) -> str:
        """The URL as it may be shown and logged."""

    @property
    def largest_value(self) -> int:
        """How many bytes a payload or a result may have here."""

    @property
    def has_upkeep(self) -> bool:
        """Whether who offers this store does its upkeep, too: then others need not.

        Raises:
            StoreUnavailable: It was asked anew, and does not answer.
        """

    @property
    def keeps_meanwhile(self) -> bool:
        """Whether a thread that keeps many jobs mostly waits for another program, so that others can go on."""

    # Jobs, as their submitter sees them.

    def submit(
        self,
        jobs: Sequence[NewJob],
        *,
        taken: dict[uuid.UUID, uuid.UUID] | None = None,
        known: dict[uuid.UUID, KnownCall] | None = None,
    ) -> list[bool]:
        """Keep jobs, all or none; False for each whose id the store knew already.

        Also where it knew it by this very call, if that had lost an answer and asked once more.

        One that waits for others (`after`) is blocked until all of these have ended. If it needs
        their success, it fails as soon as one of them fails, and is cancelled with it.

        And for each whose unique key another job holds: `taken` then gets the id of that job,
        by the id of the one that is not kept.

        `known` gets what is kept under each id that the store knew: whose call that is, the caller
        has to say, for only who can read the payloads can compare them.

        Raises:
            UsageError: It waits for a job that is neither here nor among those before it.
            PayloadError: One is larger than the store is set to take (max_payload); nothing is kept.
            DuplicateJob: One was to be refused for its key; nothing is kept.
        """

    def submit_nowait(
        self,
        jobs: Sequence[NewJob],
        *,
        taken: dict[uuid.UUID, uuid.UUID] | None = None,
        known: dict[uuid.UUID, KnownCall] | None = None,
    ) -> Future[list[bool]]:
        """Do the same without waiting: they are kept once the future is done.

        A future that can be cancelled has kept nothing and never will.
        """

    def submit_on(
        self,
        connection: Connection,
        jobs: Sequence[NewJob],
        *,
        taken: dict[uuid.UUID, uuid.UUID] | None = None,
        known: dict[uuid.UUID, KnownCall] | None = None,
    ) -> list[bool]:
        """Do the same in the caller's transaction: the jobs exist if and only if it commits.

        Whoever has committed it says so by `note_commit`: idle workers claim them sooner then.

        Raises:
            UsageError: The connection leads to another database, or commits by itself.
        """

    def note_commit(self) -> None:
        """Wake those who wait for changes, because a transaction of the caller's own has committed.

        Returns at once, and never raises.
        """

    def states(self, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, State]:
        """Return the state of each job that exists."""

    def held_up(self, waiter: uuid.UUID, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, str]:
        """Return those of the jobs that cannot begin before `waiter`, which runs, has ended.

        Each with the key of the limit of which that job has all places, "queue NAME" of that of a
        queue; "": it was submitted after that job.
        """

    def outcomes(self, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, JobOutcome]:
        """Return the outcome of each job that has one."""

    def results_size(self, job_ids: Iterable[uuid.UUID]) -> int:
        """Return how many bytes the results of these jobs have together."""

    def progress(self, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Progress]:
        """Return what each job has last reported, where it has reported anything."""

    def cancel(
        self, job_ids: Iterable[uuid.UUID], *, running: WhenRunning = "ask"
    ) -> dict[uuid.UUID, State]:
        """Cancel waiting jobs, and those that need their success; return the states after.

        A running job stays running until its worker has stopped it; final ones stay as
        they are; unknown ids are missing from the result.

        Args:
            job_ids: Which.
            running: What is done to those that run: nothing, or their worker is told to ask
                them to stop, or to kill them.
        """

    def cancel_nowait(
        self, job_ids: Iterable[uuid.UUID], *, running: WhenRunning
    ) -> Future[dict[uuid.UUID, State]]:
        """Do the same without waiting; the future has the states after."""

    def retry(
        self,
        job_ids: Iterable[uuid.UUID],
        *,
        hindered: dict[uuid.UUID, Hindrance] | None = None,
    ) -> dict[uuid.UUID, State]:
        """Make failed and cancelled jobs ready again with counters at zero; return the states after.

        One with a unique key takes it again, and stays as it is if another job holds that, or if
        it needs a parent that has not succeeded and is not retried with it: `hindered` then gets
        why, by its id. One that waits for others is blocked.
        """

    def cancel_where(
        self,
        which: JobFilter,
        *,
        running: WhenRunning = "ask",
        limit: int = 1000,
        before_seq: int | None = None,
    ) -> list[ChangedJob]:
        """Cancel a batch of the jobs that match, newest first, as `cancel` does.

        Returns what was found, changed or not; go on below the last `seq` until nothing is.
        """

    def retry_where(
        self, which: JobFilter, *, limit: int = 1000, before_seq: int | None = None
    ) -> list[ChangedJob]:
        """Make a batch of the jobs that match ready again, as `retry` does; see cancel_where."""

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

    def renew_all(self, worker_ids: Iterable[uuid.UUID], *, lease: float) -> set[uuid.UUID]:
        """Do the same for many workers at once; return those whose leases had not run out."""

    def renewed_by_waiting(self, worker_id: uuid.UUID, *, lease: float) -> float | None:
        """Have this lease renewed while its worker waits for changes in its queues, and holds nothing.

        To be asked each time that a renewal would be due. Returns when the last renewal was sent
        that is known to have succeeded, by `clock.monotonic`, which may be long ago; None: nothing is
        renewed so, now or ever, and whoever asks has to renew.
        """

    def leave(self, worker_id: uuid.UUID) -> None:
        """Let others rescue what a worker of this process holds: it will not act again.

        Touches no database. Whoever can, signs off instead.
        """

    def drain(self, worker_ids: Iterable[uuid.UUID]) -> list[uuid.UUID]:
        """Tell workers to claim nothing more, run what they hold to its end, and end.

        Returns those that were up: not those that are dead or were told before. From then on
        no claim of theirs finds anything.
        """

    def is_draining(self, worker_id: uuid.UUID) -> bool:
        """Whether this worker was told so."""

    def draining(self) -> list[uuid.UUID]:
        """Return all workers that were told so and have not ended."""

    def sign_off(self, worker_id: uuid.UUID) -> None:
        """End a worker's lease and release without blame whatever it still holds."""

    def release_others(self, worker_id: uuid.UUID, *, held: Sequence[Attempt]) -> int:
        """Release without blame what this worker holds apart from these; return how many.

        For a worker that may have claimed more than it knows of: the answer to its claim
        was lost.
        """

    def publish_tasks(self, worker_id: uuid.UUID, tasks: Sequence[str]) -> None:
        """Keep the names of the tasks that a worker knows, for whoever asks why a job waits."""

    def lanes(self, queues: Sequence[str], *, is_whole: bool = False) -> list[Lane]:
        """Return the lanes of these queues that have ready jobs, or may have; costs a seek for each.

        None is only returned where there is none, but for what becomes ready meanwhile. Where some are returned
        there may be others, if jobs have become ready again; with `is_whole` it is all of them, whatever that takes.

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

    # Upkeep: any worker may do it at any time, in parallel, in bounded batches.

    def promote(self, *, limit: int = 500) -> int:
        """Make scheduled jobs ready whose time has come; return how many."""

    def expire(self, *, limit: int = 500) -> int:
        """Cancel waiting jobs that have not begun in time; return how many were looked at.

        A claim does it too, for those that it comes across.
        """

    def unblock(self, *, limit: int = 500) -> int:
        """Go on with what waits for jobs that have ended; 0: nothing is left to do.

        The end of a job itself tells the first hundreds of those that wait for it.
        """

    def readmit(self, *, limit: int = 500) -> float | None:
        """Make jobs ready that wait for limits which have room.

        The end of an attempt does it for as many jobs as it gives slots back; this for the tokens
        that have come, and for what else may have been left. Returns the seconds until a token
        comes that is waited for, 0: there is more to do; None: no time brings any.
        """

    def recount_limits(self) -> int:
        """Count the slots of limits anew where they have drifted; return of how many keys.

        Also forgets keys that nobody has used for a day, and counts in what runs in a queue with a limit
        and was claimed by who did not know of that.
        """

    def rescue(self, *, limit: int = 500) -> list[Rescued]:
        """End the attempts of workers whose lease ran out.

        One that had begun counts a crash of its job, and the last one allowed fails it;
        one that is not known to have begun is not blamed.
        """

    def has_dead(self) -> bool:
        """Whether a worker is known to have died whom nobody has declared dead yet.

        Cheap: asks no database. False where only the end of a lease can tell.
        """

    def fold(self, *, limit: int = 1000) -> int:
        """Fold counts that were appended beside the counters into these; return how many.

        Where only one program writes at a time there are none.
        """

    def chores(self) -> Chores:
        """Return what of promote, unblock, expire and readmit there is to do, in one look."""

    def prune(self, *, older_than: float | Retention, limit: int = 1000) -> int:
        """Delete jobs that finished more than so many seconds ago; return how many.

        Never one that has not finished, nor one that an unfinished job was submitted after:
        its result may be asked for. Where there is none, no lock is taken.
        """

    def sweep(self) -> None:
        """Begin to remove what is in the way of claims, where the database does it too late.

        Called often while jobs run; returns at once, and does nothing where it is not time.
        """

    def align_clock(self) -> float:
        """Bring the database clock a little nearer to this machine's wall clock.

        Never by so much that a lease or a delay would feel it. Returns the seconds by which
        the wall clock was ahead; 0.0 where the database has a clock of its own.
        """

    # Waking.

    def changes(self) -> int:
        """Return a number that differs after any commit by anybody; cheap, takes no lock.

        Not after those of this process of which nobody need hear, such as claims and heartbeats.
        """

    def wait_for_change(
        self, seen: int, timeout: float, *, but_submits: bool = False, queues: Sequence[str] = ()
    ) -> int:
        """Wait until `changes()` differs from `seen` or the time is up; return it.

        Args:
            seen: What was returned last; -1: nothing was seen yet.
            timeout: Seconds.
            but_submits: Jobs that are submitted are no change, where that can be told from others; the
                numbers are then comparable with those of such waits only.
            queues: Where that can be told, only jobs that become ready are a change (where that can be told, too: in these queues), and
                that a worker of this store is to end; the numbers are then comparable likewise.
        """

    def hurry(self) -> None:
        """Let no call wait for the database for longer than a second any more.

        Those that wait now included: whoever calls wants to end.
        """

    def close(self) -> None:
        """Let go of files and threads; idempotent. Later calls raise StoreError."""
