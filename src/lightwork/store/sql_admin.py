"""SQL admin: what people look at, stop and set right; queues, schedules and the history too.

A table of contents, as sqlstore.py is.
"""

import dataclasses
import uuid
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from lightwork.model import (
    NewSchedule,
    Setting,
    State,
)
from lightwork.store.admin import checking, depths, news, queries, queues, rollups, settings, sizes
from lightwork.store.operations import dependencies
from lightwork.store.operations.bounds import queue_limits
from lightwork.store.schedules import keeping, running
from lightwork.store.sql_transactions import SqlTransactions
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


class SqlAdmin(SqlTransactions):
    """The part of contract.Store that no job passes through."""

    def declare_schedules(
        self, schedules: Sequence[NewSchedule], *, replace: bool = True
    ) -> list[str]:
        """Keep schedules; return the names of those that are new or have changed."""
        # A look first: whoever starts a hundred workers declares the same a hundred times.
        if self._read(keeping.are_kept, schedules):
            return []

        def declare(connection: Connection) -> list[str]:
            self._payloads.check(connection, schedules)
            return keeping.declare(connection, schedules, replace=replace)

        return self.database.write(declare)

    def schedules(self) -> list[ScheduleView]:
        """Return all schedules, by name."""
        return self._read(keeping.schedules)

    def schedule(self, name: str) -> ScheduleView | None:
        """Return one schedule, or None."""
        return self._read(keeping.schedule, name)

    def pause_schedule(self, name: str) -> bool:
        """Let it make no jobs until it is resumed."""
        return self._write(keeping.pause, name)

    def resume_schedule(self, name: str) -> bool:
        """Let it make jobs again."""
        return self._write(keeping.resume, name)

    def remove_schedules(self, names: Iterable[str]) -> list[str]:
        """Forget schedules; return the names of those that there were."""
        return self._write(keeping.remove, list(names))

    def run_schedule(self, name: str, job_id: uuid.UUID) -> uuid.UUID | None:
        """Make a job of it now."""
        return self._write(running.run_now, self._spelling, name, job_id)

    def run_due_schedules(
        self, *, limit: int = 100, skipped: dict[str, SkippedTimes] | None = None
    ) -> list[ScheduledRun]:
        """Make jobs of the schedules that are due."""
        if not self._read(running.is_one_due):
            return []
        passed: running.Passed = {}
        runs = self._write(running.run_due, self._spelling, limit, passed)
        if skipped is not None:
            # Counted out here: it may take longer than others should wait for.
            skipped.clear()
            skipped.update(running.counted(passed))
        return runs

    def pause(self, queue: str) -> bool:
        """Let nobody claim from a queue any more."""
        return self._write(queues.pause, self._spelling, queue)

    def resume(self, queue: str) -> bool:
        """Let workers claim from a queue again."""
        return self._write(queues.resume, queue)

    def limit_queue(self, queue: str, running: int) -> bool:
        """Let at most so many jobs of a queue run at once."""
        changed = self._write(queues.limit, self._spelling, queue, running)
        if changed and running:
            # Once it is there for all: what is claimed from now on knows of it.
            self._write(queue_limits.count_in, self._spelling)
        return changed

    def purge(self, queue: str, *, limit: int = 1000) -> int:
        """Cancel waiting jobs of a queue."""
        return self._write(queues.purge, self._spelling, queue, limit)

    def queues(self) -> list[QueueView]:
        """Return the queues that have jobs, are paused or have a limit."""
        return self._read(queues.queues)

    def add_rollups(self, worker_id: uuid.UUID, rollups_: Sequence[Rollup]) -> None:
        """Add what has happened to this minute of the history."""
        self._write(rollups.add, self._spelling, worker_id, rollups_)

    def fold_rollups(self, *, limit: int = 1000) -> int:
        """Fold what workers have added in minutes that are over."""
        # A look first: a hundred idle workers would else write all the time.
        if not self._read(rollups.is_fold_due):
            return 0
        return self._write(rollups.fold, self._spelling, limit)

    def settings(self) -> list[Setting]:
        """Return all settings."""
        return self._read(settings.settings, self._payloads.default)

    def change_setting(self, name: str, value: int | None, *, by: str) -> None:
        """Set one, or let it be as by default."""
        most = self._payloads.default
        self._write(settings.change, self._spelling, name, value, by=by, most=most)
        self._read(self._payloads.read)

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
        """Return jobs, newest first."""
        return self._read(
            queries.jobs,
            state=state,
            task=task,
            queue=queue,
            since=since,
            limit=limit,
            before_seq=before_seq,
            tag=tag,
        )

    def job(self, job_id: uuid.UUID) -> JobView | None:
        """Return one job, or None."""
        return self._read(queries.one_job, job_id)

    def payloads(self, job_ids: Iterable[uuid.UUID], *, largest: int) -> dict[uuid.UUID, bytes]:
        """Return what jobs are called with, where it is small."""
        return self._read(queries.payloads, job_ids, largest)

    def relatives(self, job_id: uuid.UUID, *, most: int = 20) -> Relatives:
        """Return what a job was submitted after, and what after it."""
        return self._read(dependencies.relatives, job_id, most)

    def attempts(self, job_id: uuid.UUID) -> list[AttemptView]:
        """Return the ended attempts of a job."""
        return self._read(queries.attempts, job_id)

    def workers(self, *, include_dead: bool = False) -> list[WorkerView]:
        """Return workers, latest first."""
        views = [self._corrected(view) for view in self._read(queries.workers, include_dead=True)]
        return [view for view in views if include_dead or view.is_live]

    def summary(self) -> Summary:
        """Return counts by state and queue."""
        live = self.workers()
        slots = sum(worker.slots for worker in live)
        summary = self._read(queries.summary)
        return dataclasses.replace(summary, live_workers=len(live), slots=slots)

    def depths(self, *, most: int = 10_000) -> list[DepthView]:
        """Return the unfinished jobs of each queue, counted up to a bound."""
        return self._read(depths.depths, most)

    def news_mark(self) -> NewsMark:
        """Return where the news end now."""
        return self._read(news.mark)

    def new_jobs(self, *, above: int, last: int, limit: int = 1000) -> list[NewsView]:
        """Return jobs by their numbers."""
        return self._read(news.new_jobs, above, last, limit)

    def ended_jobs(self, state: State, *, after: NewsMark, limit: int = 1000) -> list[NewsView]:
        """Return jobs in the order in which they ended."""
        return self._read(news.ended_jobs, state, after, limit)

    def ended_attempts(self, *, after: NewsMark, limit: int = 1000) -> list[NewsView]:
        """Return attempts in the order in which they ended."""
        return self._read(news.ended_attempts, after, limit)

    def history(self, *, minutes: int) -> History:
        """Return what has happened in the last minutes."""
        return self._read(rollups.history, minutes)

    def totals(self) -> Sequence[Rollup]:
        """Return what has happened since the store was made."""
        return self._read(rollups.totals)

    def stats(self) -> StoreStats:
        """Return how much the store holds."""
        return self._read(sizes.stats, self._spelling)

    def check(self) -> list[str]:
        """Return what is wrong with the stored data."""
        return self._read(checking.problems, self._spelling)

    def repair(self) -> list[str]:
        """Move damaged rows out of the way."""
        return self._write(checking.repair, self._spelling)

    def _corrected(self, view: WorkerView) -> WorkerView:
        """Return what a worker's sign says: rows may wait for whoever holds the database."""
        is_live = None if view.state == "dead" else self._signs.is_live(view.id)
        return view if is_live is None else dataclasses.replace(view, is_live=is_live)
