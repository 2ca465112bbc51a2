"""SQL store: the contract of contract.py, kept in a database.

A table of contents: each method names the operation and says whether it reads or
writes; how, is said in operations/. A read or a write is one transaction.
"""

import functools
import uuid
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Final, TypeVar

from sqlalchemy import Connection

from lightwork.clock import monotonic
from lightwork.errors import StoreError
from lightwork.lifecycle import AttemptEnd, Released
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
from lightwork.store import joining
from lightwork.store.admin import matching
from lightwork.store.contract import Store, WhenRunning
from lightwork.store.contracts.chores import Chores
from lightwork.store.operations import (
    attempts,
    claiming,
    counters,
    dependencies,
    jobs,
    retrying,
    upkeep,
    waits,
    workers,
)
from lightwork.store.operations.bounds import expiry, queue_limits, slots, unique, waiting
from lightwork.store.operations.pace import Pace
from lightwork.store.operations.submitting import Submit
from lightwork.store.sql.rows import AnyRow
from lightwork.store.sql_admin import SqlAdmin
from lightwork.store.sql_primitives import SqlPrimitives
from lightwork.store.views import (
    ChangedJob,
    Hindrance,
    JobFilter,
    KnownCall,
    Rescued,
)

T = TypeVar("T")
# A look that takes no more seconds is made as often as ever.
_SHORT: Final = 0.05


def open_store(url: str, *, create: bool = True) -> Store:
    """Open the store that a URL names; create or upgrade its tables where that is needed.

    Args:
        url: sqlite:///path/to/file.db or postgresql+psycopg://USER@HOST/DATABASE.
        create: False: refuse if there is no store yet.

    Raises:
        UsageError: The URL is not that of a store.
        StoreError: The store cannot be used; the text says why.
        SchemaMismatch: A newer program made it.
    """
    return SqlStore(url, create=create)


class SqlStore(SqlAdmin, SqlPrimitives):
    """Jobs in SQL; see contract.Store for what each method promises."""

    def __init__(self, url: str, *, create: bool = True) -> None:
        super().__init__(url, create=create)
        self._short_way = claiming.ShortWay()
        self._short_end = claiming.ShortWay()
        self._pace = Pace()  # Of looks that read all dead rows of what runs, while these stay.

    def submit(
        self,
        jobs_: Sequence[NewJob],
        *,
        taken: dict[uuid.UUID, uuid.UUID] | None = None,
        known: dict[uuid.UUID, KnownCall] | None = None,
    ) -> list[bool]:
        """Keep jobs, all or none; False for each whose id was known, or whose key is held."""
        submit = Submit(self._spelling, self._payloads, jobs_, taken, known)
        return self.database.write(
            submit.write, is_submit=_are_only_new(jobs_), is_alone=submit.is_alone
        )

    def submit_nowait(
        self,
        jobs_: Sequence[NewJob],
        *,
        taken: dict[uuid.UUID, uuid.UUID] | None = None,
        known: dict[uuid.UUID, KnownCall] | None = None,
    ) -> Future[list[bool]]:
        """Do the same without waiting."""
        submit = Submit(self._spelling, self._payloads, jobs_, taken, known)
        return self.database.write_soon(
            submit.write,
            is_submit=_are_only_new(jobs_),
            is_alone=submit.is_alone,
            begin=submit.beginning(),
        )

    def submit_on(
        self,
        connection: Connection,
        jobs_: Sequence[NewJob],
        *,
        taken: dict[uuid.UUID, uuid.UUID] | None = None,
        known: dict[uuid.UUID, KnownCall] | None = None,
    ) -> list[bool]:
        """Do the same in the caller's transaction, whose driver errors pass as they are."""
        joining.check_transaction(connection)
        if self._payloads.is_stale():
            # On a connection of ours: the caller's transaction may see an older state.
            self._look(self._payloads.read)
        self._payloads.check_known(jobs_)
        self.database.join(connection)
        self._spelling.prepare(connection)
        return unique.submit(
            connection,
            self._spelling,
            jobs_,
            taken=taken,
            known=known,
            insert=jobs.submit_among_others,
        )

    def states(self, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, State]:
        """Return the state of each job that exists."""
        return self._look(jobs.states, self._spelling, job_ids)

    def held_up(self, waiter: uuid.UUID, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, str]:
        """Return those of the jobs that cannot begin before `waiter` has ended."""
        return self._read(waits.held_up, waiter, job_ids)

    def outcomes(self, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, JobOutcome]:
        """Return the outcome of each job that has one."""
        return self._look(jobs.outcomes, self._spelling, job_ids)

    def results_size(self, job_ids: Iterable[uuid.UUID]) -> int:
        """Return how many bytes the results of these jobs have together."""
        return self._look(jobs.results_size, job_ids)

    def progress(self, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Progress]:
        """Return what each job has last reported, where it has reported anything."""
        return self._look(jobs.progress, self._spelling, job_ids)

    def cancel(
        self, job_ids: Iterable[uuid.UUID], *, running: WhenRunning = "ask"
    ) -> dict[uuid.UUID, State]:
        """Cancel waiting jobs, ask for the end of running ones or leave them alone."""
        after = self._write(jobs.cancel, self._spelling, list(job_ids), running)
        # What needs them is cancelled, too, however much that is.
        while self.unblock():
            pass
        return after

    def cancel_nowait(
        self, job_ids: Iterable[uuid.UUID], *, running: WhenRunning
    ) -> Future[dict[uuid.UUID, State]]:
        """Do the same without waiting."""
        return self._write_soon(jobs.cancel, self._spelling, list(job_ids), running)

    def retry(
        self,
        job_ids: Iterable[uuid.UUID],
        *,
        hindered: dict[uuid.UUID, Hindrance] | None = None,
    ) -> dict[uuid.UUID, State]:
        """Make failed and cancelled jobs ready again, unless something stands in their way."""
        return self._write(retrying.retry, self._spelling, list(job_ids), hindered=hindered)

    def cancel_where(
        self,
        which: JobFilter,
        *,
        running: WhenRunning = "ask",
        limit: int = 1000,
        before_seq: int | None = None,
    ) -> list[ChangedJob]:
        """Cancel a batch of the jobs that match, newest first."""
        page = matching.Page(which, limit, before_seq)
        return self._write(matching.cancel, self._spelling, page, running)

    def retry_where(
        self, which: JobFilter, *, limit: int = 1000, before_seq: int | None = None
    ) -> list[ChangedJob]:
        """Make a batch of the jobs that match ready again, newest first."""
        return self._write(matching.retry, self._spelling, matching.Page(which, limit, before_seq))

    def register(self, worker: WorkerInfo, *, lease: float, is_here: bool = False) -> None:
        """Make a worker known and give it a lease of so many seconds."""
        if is_here:
            self._signs.begin(worker.id, lease)
        try:
            self._write_quietly(workers.register, worker, lease)
        except BaseException:
            self._signs.end(worker.id)
            raise

    def renew(self, worker_id: uuid.UUID, *, lease: float) -> bool:
        """Extend a lease that has not run out."""
        if not self._signs.knows(worker_id):
            return self._write_quietly(workers.renew, worker_id, lease)
        row = functools.partial(self._write_soon, workers.renew, worker_id, lease, is_living=True)
        return self._signs.renew(worker_id, lease, row)

    def renew_all(self, worker_ids: Iterable[uuid.UUID], *, lease: float) -> set[uuid.UUID]:
        """Extend the leases of many workers that have not run out; return whose."""
        ids = set(worker_ids)
        here = {one for one in ids if self._signs.knows(one)}
        renewed = self._write_quietly(workers.renew_all, ids - here, lease) if ids - here else set()
        return renewed | {one for one in here if self.renew(one, lease=lease)}

    def renewed_by_waiting(self, worker_id: uuid.UUID, *, lease: float) -> float | None:
        """Return None: whoever waits here tells the database nothing."""

    def leave(self, worker_id: uuid.UUID) -> None:
        """Let others rescue what a worker of this process holds: it will not act again."""
        self._signs.end(worker_id, is_dead=True)

    def drain(self, worker_ids: Iterable[uuid.UUID]) -> list[uuid.UUID]:
        """Tell workers to claim nothing more and to end."""
        return self._write(workers.drain, list(worker_ids))

    def is_draining(self, worker_id: uuid.UUID) -> bool:
        """Whether this worker was told so."""
        return self._look(workers.is_draining, worker_id)

    def draining(self) -> list[uuid.UUID]:
        """Return all workers that were told so."""
        return self._look(workers.draining)

    def sign_off(self, worker_id: uuid.UUID) -> None:
        """End a worker's lease and release whatever it still holds."""
        self._write(workers.sign_off, self._spelling, worker_id)
        self._signs.end(worker_id)

    def release_others(self, worker_id: uuid.UUID, *, held: Sequence[Attempt]) -> int:
        """Release what this worker holds apart from these."""
        # A look first: it is asked now and then, and to lock what runs would be news to all.
        if not self._look(workers.has_others, worker_id, held):
            return 0
        return self._write(workers.release_others, self._spelling, worker_id, held)

    def publish_tasks(self, worker_id: uuid.UUID, tasks: Sequence[str]) -> None:
        """Keep the names of the tasks that a worker knows."""
        self._write_quietly(workers.publish_tasks, worker_id, tasks)

    def lanes(self, queues: Sequence[str], *, is_whole: bool = False) -> list[Lane]:
        """Return the lanes of these queues that have ready jobs."""
        return self._look(claiming.lanes, self._spelling, queues, is_whole=is_whole)

    def claim(
        self, worker_id: uuid.UUID, *, lanes: Sequence[Lane], limit: int, ahead: int = 0
    ) -> list[Attempt]:
        """Take up to `limit` ready jobs of these lanes to begin, and some ahead."""
        found: list[Attempt] = []
        while True:
            begins = max(limit - len(found), 0)
            waits = limit + ahead - len(found) - begins
            rows = self._claim(worker_id, lanes, begins, waits)
            claimed, damaged = claiming.attempts_of(rows)
            found += claimed
            if not damaged:
                return found
            self._write(claiming.fail_damaged, self._spelling, worker_id, damaged)

    def _claim(
        self, worker_id: uuid.UUID, lanes: Sequence[Lane], limit: int, ahead: int
    ) -> Sequence[AnyRow]:
        """Claim by one statement, or in a transaction where that takes more."""
        lane = self._short_way.lane_of(lanes) if self._spelling.claims_plain else None
        if lane is not None:
            only = lane

            def write(connection: Connection) -> Sequence[AnyRow] | None:
                return self._spelling.claim_plain(
                    connection, worker_id, only, slots=limit, ahead=ahead
                )

            rows = self.database.write(write, is_quiet=True, is_alone=True, is_once=True)
            if rows is not None:
                return rows
            self._short_way.close(lane)

        def claim(connection: Connection) -> Sequence[AnyRow]:
            if not self._spelling.has_ready(connection, lanes):
                return []
            return claiming.claim(
                connection, self._spelling, worker_id, lanes=lanes, limit=limit, ahead=ahead
            )

        return self._write_quietly(claim)

    def ack(
        self,
        worker_id: uuid.UUID,
        ends: Sequence[tuple[Attempt, AttemptEnd]],
        *,
        begun: Sequence[Attempt] = (),
    ) -> list[Attempt]:
        """Record how attempts ended and which have begun; return the ends refused."""
        worker = worker_id.bytes
        endings = [attempts.ending_of(worker, attempt, end) for attempt, end in ends]
        is_plain = not begun and attempts.is_plain(self._spelling, endings)
        if is_plain and self._end_alone(ends[0][0], endings[0]):
            return []

        def write(connection: Connection) -> list[attempts.Effect]:
            attempts.note_begun(connection, self._spelling, worker_id, begun)
            return attempts.effects_of(connection, self._spelling, endings)

        effects = self.database.write(write, is_quiet=not endings, is_end=attempts.open_nothing)
        if self._spelling.is_clogged:
            self._note_back(attempt for attempt, end in ends if isinstance(end, Released))
        return [
            attempt
            for (attempt, _end), effect in zip(ends, effects, strict=True)
            if effect is attempts.Effect.REFUSED
        ]

    def _end_alone(self, attempt: Attempt, ending: attempts.Ending) -> bool:
        """Record a plain end by one message, if nothing can begin for it."""
        lane = self._short_end.lane_of([Lane(ending.queue, attempt.task)])
        if lane is None:
            return False
        is_ended = self.database.write(
            lambda connection: attempts.succeed_alone(connection, self._spelling, ending),
            is_alone=True,
            is_once=True,
            is_end=bool,
        )
        if not is_ended:
            self._short_end.close(lane)
        return is_ended

    def _note_back(self, given_back: Iterable[Attempt]) -> None:
        for attempt in given_back:
            policy = attempt.policy
            lane = Lane(policy.queue, attempt.task)
            self._spelling.note_back(lane, policy.priority, attempt.seq)

    def report_progress(
        self, worker_id: uuid.UUID, reports: Sequence[tuple[Attempt, Progress]]
    ) -> None:
        """Record how far attempts are."""
        self._write(attempts.report_progress, self._spelling, worker_id, reports)

    def cancel_requests(self, worker_id: uuid.UUID) -> list[tuple[uuid.UUID, int, bool]]:
        """Return what this worker runs and is asked to stop."""

        def look() -> list[tuple[uuid.UUID, int, bool]]:
            return self._look(attempts.cancel_requests, worker_id)

        return self._at_pace(worker_id, look, list)

    def promote(self, *, limit: int = 500) -> int:
        """Make due jobs ready."""
        promoted = self._write(upkeep.promote, self._spelling, limit)
        self._note_ready(promoted)
        return len(promoted)

    def _note_ready(self, seqs: Sequence[int]) -> None:
        """Let our own looks find what is ready again, although nothing was there when they passed by."""
        if not (self._spelling.is_clogged and seqs):
            return
        # The next full look finds it in any case.
        with suppress(StoreError):
            for row in self._look(upkeep.places, seqs):
                self._spelling.note_back(Lane(row.queue, row.task), -row.rank, row.seq)

    def expire(self, *, limit: int = 500) -> int:
        """Cancel what has not begun in time."""
        # A look first, as for rescue.
        if self._read(unique.is_one_over):
            self._write(unique.forget_over, limit)
        is_due = self._read(expiry.is_expire_due)
        return self._write(expiry.expire, self._spelling, limit) if is_due else 0

    def unblock(self, *, limit: int = 500) -> int:
        """Go on with what waits for jobs that have ended."""
        if not self._read(dependencies.is_one_left):
            return 0
        return self._write(dependencies.tell_left, self._spelling, limit)

    def readmit(self, *, limit: int = 500) -> float | None:
        """Make jobs ready that wait for limits which have room."""
        if not self._read(waiting.is_any_waiting):
            return None
        is_stuck = False
        if self._read(waiting.next_room_in, self._spelling) == 0:
            # Others may have them locked.
            is_stuck = self._write(waiting.open_up, self._spelling, limit) == 0
        return self._read(waiting.next_room_in, self._spelling, is_later=is_stuck)

    def recount_limits(self) -> int:
        """Count slots anew where they are not those of the jobs that run."""
        return self._at_pace("limits", self._recount_limits, int)

    def _recount_limits(self) -> int:
        keys, has_idle = self._read(slots.drifted), self._read(slots.is_any_idle)
        if keys or has_idle:
            self._write(slots.recount, keys)
        if self._read(queue_limits.is_one_uncounted):
            self._write(queue_limits.count_in, self._spelling)
        return len(keys)

    def rescue(self, *, limit: int = 500) -> list[Rescued]:
        """End the attempts of workers whose lease ran out."""
        (dead, late), is_live = self._signs.ended(), self._signs.is_live
        # A look first: a hundred idle workers would else write twenty times a second.
        if not dead and not self._is_rescue_due(is_live, late):
            return []
        rescued, seqs = self._write(upkeep.rescue, self._spelling, is_live, limit)
        # Only now: were we killed before that, nobody else would be told.
        self._signs.bury(dead)
        self._note_ready(seqs)
        return rescued

    def _is_rescue_due(self, is_live: workers.IsLive, late: Sequence[uuid.UUID]) -> bool:
        return self._at_pace(
            "rescue",
            lambda: self._read(upkeep.is_rescue_due, is_live, late),
            lambda: self._read(workers.any_ended, is_live, late),
        )

    def _at_pace(self, name: Hashable, look: Callable[[], T], else_: Callable[[], T]) -> T:
        """Do what reads all that has run lately no more often than it may, where dead rows are in the way."""
        if not self._spelling.is_clogged:
            return look()
        began = monotonic()
        if not self._pace.is_due(name, began):
            return else_()
        found = look()
        if (ended := monotonic()) - began > _SHORT:
            self._pace.note(name, began, ended)
        return found

    def has_dead(self) -> bool:
        """Whether a worker has died whom nobody has declared dead yet."""
        return self._signs.is_one_dead()

    def fold(self, *, limit: int = 1000) -> int:
        """Fold appended counts into the counters."""
        if not self._look(counters.is_fold_due):
            return 0
        return self._write_quietly(counters.fold, self._spelling, limit)

    def sweep(self) -> None:
        """Begin to remove what is in the way of claims."""
        self.database.sweep()

    def chores(self) -> Chores:
        """Return what there is to do for the whole store."""
        return self._at_pace(
            "chores",
            lambda: self._look(upkeep.chores, self._spelling),
            lambda: upkeep.NOTHING_TO_DO,
        )

    def prune(self, *, older_than: float | Retention, limit: int = 1000) -> int:
        """Delete jobs that finished more than so many seconds ago."""
        ages = upkeep.ages_of(older_than)
        # A look first, as for a rescue.
        if not self._read(upkeep.is_prune_due, ages):
            return 0
        return self._write(upkeep.prune, self._spelling, ages, limit)


def _are_only_new(jobs_: Sequence[NewJob]) -> bool:
    """Whether to keep them ends no other job, and none of them: for a unique key, or for a parent that failed."""
    return not any(job.unique or job.after for job in jobs_)
