"""Admin contract: the part of a store that no job passes through; see ../contract.py."""

import uuid
from collections.abc import Iterable, Sequence
from typing import Protocol

from lightwork.model import (
    NewSchedule,
    Setting,
    State,
)
from lightwork.store.views import (
    AttemptView,
    DepthView,
    History,
    JobView,
    NewsMark,
    NewsView,
    QueueView,
    Relatives,
    Rollup,
    ScheduledRun,
    ScheduleView,
    SkippedTimes,
    StoreStats,
    Summary,
    WorkerView,
)


class AdminStore(Protocol):
    """What people look at, stop and set right; queues, schedules and the history too."""

    # Schedules. Now is always the database's.

    def declare_schedules(
        self, schedules: Sequence[NewSchedule], *, replace: bool = True
    ) -> list[str]:
        """Keep schedules, all or none; return the names of those that are new or have changed.

        A new one, and one of other times than before, is due from now on. What else
        changes leaves a due time due, and a paused schedule stays paused.

        Raises:
            UsageError: One of the name was declared in another way (in code, by a command), or,
                without `replace`, as another.
            PayloadError: What its jobs would carry is more than the store is set to take.
        """

    def schedules(self) -> list[ScheduleView]:
        """Return all schedules, by name."""

    def schedule(self, name: str) -> ScheduleView | None:
        """Return one schedule, or None."""

    def pause_schedule(self, name: str) -> bool:
        """Let it make no jobs until it is resumed; False: there is none of this name."""

    def resume_schedule(self, name: str) -> bool:
        """Let it make jobs again; False: there is none of this name.

        Due times of the pause are over: they are not caught up.
        """

    def remove_schedules(self, names: Iterable[str]) -> list[str]:
        """Forget schedules; their jobs stay. Returns the names of those that there were."""

    def run_schedule(self, name: str, job_id: uuid.UUID) -> uuid.UUID | None:
        """Make a job of it now, of this id, whether or not it is due or paused.

        The same id makes the same job. Returns the id; that of another job if that one holds the unique
        key, and none was made; None: there is no schedule of this name.
        """

    def run_due_schedules(
        self, *, limit: int = 100, skipped: dict[str, SkippedTimes] | None = None
    ) -> list[ScheduledRun]:
        """Make jobs of the schedules that are due, about so many; return those that are new.

        For each due time there is at most one, over all workers, also where a worker dies or the
        clock is put back. Any worker may do it at any time, in parallel. `skipped` gets an entry
        for each schedule of which due times were passed over.
        """

    def add_rollups(self, worker_id: uuid.UUID, rollups: Sequence[Rollup]) -> None:
        """Add what has happened to this minute of the history, in rows of this worker's own.

        Approximate: with an answer that was lost it may be added twice.
        """

    def fold_rollups(self, *, limit: int = 1000) -> int:
        """Fold what workers have added in minutes that are over, forget what is old.

        Returns how many rows are gone.
        """

    # Queues, as people change them.

    def pause(self, queue: str) -> bool:
        """Let nobody claim from a queue any more; False: so it was already.

        What runs, runs on. A claim that is under way may still take what it has found.
        """

    def resume(self, queue: str) -> bool:
        """Let workers claim from a queue again; False: it was not paused."""

    def limit_queue(self, queue: str, running: int) -> bool:
        """Let at most so many jobs of a queue run at once, over all workers; 0: any number.

        Jobs that were submitted before count too, and so do those that run, which run on. A claim that is
        under way may still take what it has found. False: so it was already.
        """

    def purge(self, queue: str, *, limit: int = 1000) -> int:
        """Cancel waiting jobs of a queue; return how many, `limit`: there may be more."""

    def queues(self) -> list[QueueView]:
        """Return the queues that have jobs, are paused or have a limit, by name."""

    # Settings: what all programs that use the store are told to do.

    def settings(self) -> list[Setting]:
        """Return all settings, by name."""

    def change_setting(self, name: str, value: int | None, *, by: str) -> None:
        """Set one, or let it be as by default (None); every program feels it within five seconds.

        Args:
            name: Of the setting; see Setting.
            value: What it is to be.
            by: Whose word it is, for those who are refused something by it.

        Raises:
            UsageError: There is none of this name, or the value makes no sense.
        """

    # Looking.

    def jobs(
        self,
        *,
        state: State | None = None,
        task: str | None = None,
        queue: str | None = None,
        since: float | None = None,
        limit: int = 50,
        before_seq: int | None = None,
        tag: str | None = None,
    ) -> list[JobView]:
        """Return jobs, newest first; continue below the last `seq` for the next page.

        `since`: only what has ended in the last so many seconds, or was submitted then.
        """

    def job(self, job_id: uuid.UUID) -> JobView | None:
        """Return one job, or None if there is none of this id."""

    def payloads(self, job_ids: Iterable[uuid.UUID], *, largest: int) -> dict[uuid.UUID, bytes]:
        """Return the payload of each job that exists, and b"" for one of more than `largest` bytes."""

    def relatives(self, job_id: uuid.UUID, *, most: int = 20) -> Relatives:
        """Return what a job was submitted after, and what after it; so many of each at most."""

    def attempts(self, job_id: uuid.UUID) -> list[AttemptView]:
        """Return the ended attempts of a job that did not succeed, first to last."""

    def workers(self, *, include_dead: bool = False) -> list[WorkerView]:
        """Return the workers, latest first; one whose lease ran out counts as dead."""

    def summary(self) -> Summary:
        """Return counts by state and queue without reading finished jobs."""

    def depths(self, *, most: int = 10_000) -> list[DepthView]:
        """Return the unfinished jobs of each queue; more than `most` are not counted."""

    def news_mark(self) -> NewsMark:
        """Return where the news end now: the last job's number, and the database's instant."""

    def new_jobs(self, *, above: int, last: int, limit: int = 1000) -> list[NewsView]:
        """Return jobs whose number is above the one and not above the other, lowest first."""

    def ended_jobs(self, state: State, *, after: NewsMark, limit: int = 1000) -> list[NewsView]:
        """Return jobs that ended in a state after that, in order."""

    def ended_attempts(self, *, after: NewsMark, limit: int = 1000) -> list[NewsView]:
        """Return attempts that did not succeed and ended after that, in order."""

    def history(self, *, minutes: int) -> History:
        """Return what has happened in this minute and those before, so many in all."""

    def totals(self) -> Sequence[Rollup]:
        """Return what has happened since the store was made, in all minutes together."""

    def stats(self) -> StoreStats:
        """Return how much the store holds; large tables are estimated, not counted."""

    def check(self) -> list[str]:
        """Return what is wrong with the stored data, a sentence each; empty: healthy."""

    def repair(self) -> list[str]:
        """Move rows that hold what lightwork never writes to the table `damaged`.

        Returns a sentence for each row, which says why and where it is now; the counts of
        finished jobs are put right.
        """
