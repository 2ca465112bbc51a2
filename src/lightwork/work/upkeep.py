"""Upkeep: what any worker does for the whole store, in bounded batches.

Promote what is due, make the jobs of schedules, unblock what waits with thousands of others, rescue
what dead workers held, prune what ended long ago, and locks of the dead, have dead rows removed, align the database clock. Every
worker does all of it, at jittered times; the statements are safe in parallel, so no leader is needed.
Where a server does it (served/), its workers do their own part alone.
Each part books its next turn before it works: an error cannot end it.
"""

import logging
import math
import random
from collections.abc import Callable
from typing import Final

from lightwork.clock import monotonic
from lightwork.model import DEFAULT_RETENTION, Retention
from lightwork.store.contract import Store
from lightwork.store.views import Rescued, SkippedTimes
from lightwork.tasks.names import short_name
from lightwork.work.pace import next_batch

log = logging.getLogger(__name__)

# How late a job may become ready that another process scheduled, and one end that has not begun in time, where
# no worker would have claimed it.
_PROMOTE_SECONDS: Final = 0.5
_PROMOTE_SOONEST: Final = 0.005
# How late it is found that nobody has told of: while nothing changes only time brings anything, and of what it
# will bring is known when.
_QUIET_SECONDS: Final = 5.0
# How long one turn may promote, while the worker's loop waits.
_PROMOTE_LONGEST: Final = 0.1
_PROMOTE_BATCH: Final = 500
_RUN_BATCH: Final = 100
# A due time that nobody meets is met by looking at the next one only, unless a clock was put
# back: then that may be years ahead.
_RUN_SECONDS: Final = 60.0
# How late a job goes on that waits for a limit which nobody's end has opened, and for a token.
_READMIT_SECONDS: Final = 1.0
_READMIT_SOONEST: Final = 0.02
_RESCUE_BATCH: Final = 500
# How often counts are folded, and limits counted anew, at most: a server looks for the dead seven times a second.
_TIDY_SECONDS: Final = 5.0
# How late a job is deleted that is old enough.
_PRUNE_SECONDS: Final = 60.0
_PRUNE_FIRST: Final = 100
# Of the time of a worker's loop, where there is much to delete.
_PRUNE_SHARE: Final = 0.2
_FOLD_BATCH: Final = 1000
# How long one turn may fold, while the worker's loop waits.
_FOLD_LONGEST: Final = 0.1
# How soon a death is noticed that can be told without the database.
_DEATH_SECONDS: Final = 0.5
# How soon claims are slower than they need be, while jobs run.
_SWEEP_SECONDS: Final = 0.1
# What the wall clock may gain or lose between two looks without having been set.
_JUMP_SECONDS: Final = 1.0


class Upkeep:
    """When to do what for one worker; used by its loop only.

    Args:
        store: The store.
        ttl: Seconds that the lease of a worker lasts.
        keep: How long jobs are kept that have ended.
        changes: Returns a number that differs after changes of the store; None: nobody knows.
    """

    def __init__(
        self,
        store: Store,
        ttl: float,
        keep: Retention = DEFAULT_RETENTION,
        changes: Callable[[], int] | None = None,
    ) -> None:
        self._store = store
        self._changes = changes
        self._keep = keep
        # Not at once: a worker of a short program has better things to do.
        self._prune_at = monotonic() + _PRUNE_SECONDS * random.random()
        self._prune_limit = _PRUNE_FIRST
        # In the batches so far.
        self._pruned = 0
        self._rescue_seconds = ttl / 3
        self._promote_at = 0.0
        # What there was to do, and how many changes ago, at the last look.
        self._looked_at = 0.0
        self._seen: int | None = None
        # A job that was put off here is due.
        self._expected_at = math.inf
        self._rescue_at = 0.0
        self._tidy_at = 0.0
        # While no job waits for a limit: never.
        self._readmit_at = math.inf
        self._run_at = 0.0
        # Schedules of which was told that they cannot be read here.
        self._told: set[str] = set()
        self._look_at = 0.0
        self._sweep_at = 0.0
        # How many changes ago.
        self._swept: int | None = None
        self._wall_ahead = 0.0

    def expect_due(self, delay: float) -> None:
        """A job was scheduled to be due after this delay."""
        due_at = monotonic() + max(delay, _PROMOTE_SOONEST)
        self._promote_at = min(self._promote_at, due_at)
        if delay <= _PROMOTE_SECONDS:
            # Until later ones are due everybody has seen them.
            self._expected_at = min(self._expected_at, due_at)

    def next_at(self) -> float:
        """Return the instant at which something is due next."""
        return min(
            *(self._promote_at, self._run_at, self._readmit_at),
            *(self._rescue_at, self._look_at, self._prune_at),
        )

    def do_due(self) -> list[Rescued]:
        """Do what is due; return the attempts that were rescued."""
        now = monotonic()
        if self._is_changed():
            # No more often than twice a second, whatever happens.
            self._promote_at = min(self._promote_at, self._looked_at + _PROMOTE_SECONDS)
        if now >= self._promote_at:
            self._promote(now)
        if now >= self._run_at:
            self._run_at = now + _RUN_SECONDS * random.uniform(0.7, 1.0)
            self._run_schedules()
        if now >= self._readmit_at:
            self._readmit(now)
        if now >= self._look_at:
            self._look_at = now + _DEATH_SECONDS
            if self._store.has_dead():
                self._rescue_at = now
        if now >= self._sweep_at:
            self._sweep(now)
        if now >= self._prune_at:
            self._prune(now)
        if now >= self._rescue_at:
            return self._rescue(now)
        return []

    def own_next_at(self) -> float:
        """Return the instant at which something is due next of what nobody else does."""
        if self._keep == DEFAULT_RETENTION:
            return self._expected_at
        return min(self._expected_at, self._prune_at)

    def do_own(self) -> None:
        """Do what is due, where somebody else does all that can be done without this worker."""
        now = monotonic()
        if now >= self._expected_at:
            self._promote(now)
            # What is due sooner than others look may be another one that was put off here.
            is_soon = self._promote_at < now + _PROMOTE_SECONDS
            self._expected_at = self._promote_at if is_soon else math.inf
        if now >= self._prune_at and self._keep != DEFAULT_RETENTION:
            self._prune(now)

    def _promote(self, now: float) -> None:
        # Apart from those of others: two who look at the same moment find the same.
        self._looked_at = now - _PROMOTE_SECONDS * random.uniform(0.0, 0.3)
        self._promote_at = self._looked_at + _PROMOTE_SECONDS
        self._seen = self._changes() if self._changes else None
        # A look first: two hundred idle workers would else write four hundred times a second.
        chores = self._store.chores()
        due_in, has_moved = chores.due_in, True
        if due_in is not None and due_in <= 0:
            has_moved = self._promote_all() + self._run_schedules() > 0
            due_in = self._store.chores().due_in
        is_all_done = not chores.has_untold or self._unblock_all()
        if chores.over_in == 0:
            is_all_done &= self._store.expire(limit=_PROMOTE_BATCH) < _PROMOTE_BATCH
        if not chores.has_waiting:
            self._readmit_at = math.inf
        elif self._readmit_at == math.inf:
            self._readmit_at = now
        if due_in == 0 and not has_moved:
            # What cannot be moved here is looked at no more often than anything else.
            self._tell_unreadable()
        elif not is_all_done:
            self._promote_at = now
        else:
            self._promote_at = now + self._rest(due_in, chores.over_in or None)

    def _rest(self, *due_in: float | None) -> float:
        """Return seconds until it is to be looked again, if nothing changes until then."""
        longest = _PROMOTE_SECONDS if self._changes is None else _QUIET_SECONDS
        soonest = min((one for one in due_in if one is not None), default=longest)
        return max(min(soonest, longest * random.uniform(0.7, 1.0)), _PROMOTE_SOONEST)

    def _is_changed(self) -> bool:
        return self._changes is not None and self._changes() != self._seen

    def _promote_all(self) -> int:
        """Batch by batch, each its own transaction, so that others write in between."""
        until, promoted = monotonic() + _PROMOTE_LONGEST, 0
        while (count := self._store.promote(limit=_PROMOTE_BATCH)) == _PROMOTE_BATCH:
            promoted += count
            if monotonic() >= until:
                return promoted
        return promoted + count

    def _run_schedules(self) -> int:
        skipped: dict[str, SkippedTimes] = {}
        runs = self._store.run_due_schedules(limit=_RUN_BATCH, skipped=skipped)
        for run in runs:
            log.info("schedule_due schedule=%s job=%s", short_name(run.schedule), run.job_id)
        for name, times in skipped.items():
            count, since = f"{times.count}{'' if times.is_all else '+'}", times.since.isoformat()
            text = "schedule_skipped schedule=%s times=%s since=%s"
            log.info(text, short_name(name), count, since)
        return len(runs)

    def _tell_unreadable(self) -> None:
        for view in self._store.schedules():
            if view.problem and view.name not in self._told:
                self._told.add(view.name)
                log.warning("schedule_unreadable schedule=%.200s error=%s", view.name, view.problem)

    def _unblock_all(self) -> bool:
        """Tell what waits for jobs that have ended, batch by batch; False: there is more."""
        until = monotonic() + _PROMOTE_LONGEST
        while self._store.unblock(limit=_PROMOTE_BATCH):
            if monotonic() >= until:
                return False
        return True

    def _readmit(self, now: float) -> None:
        self._readmit_at = now + _READMIT_SECONDS * random.uniform(0.7, 1.0)
        due_in = self._store.readmit()
        if due_in is not None:
            self._readmit_at = min(self._readmit_at, now + max(due_in, _READMIT_SOONEST))

    def _rescue(self, now: float) -> list[Rescued]:
        self._rescue_at = now + self._rescue_seconds * random.uniform(0.7, 1.0)
        self._align_clock()
        rescued = self._store.rescue(limit=_RESCUE_BATCH)
        if rescued or now >= self._tidy_at:
            self._tidy_at = now + _TIDY_SECONDS
            self._tidy(now)
        if len(rescued) == _RESCUE_BATCH:
            # There may be more: next turn, so that others write in between.
            self._rescue_at = now
        if rescued:
            # One line however many: a dead worker may have held ten thousand.
            dead = {one.worker for one in rescued}
            log.warning("jobs_rescued jobs=%d dead_workers=%d", len(rescued), len(dead))
        return rescued

    def _sweep(self, now: float) -> None:
        """Once more after the last change; while nothing changes nothing dies, so nobody is woken for it."""
        self._sweep_at = now + _SWEEP_SECONDS
        changes = self._changes() if self._changes else None
        if changes is None or changes != self._swept:
            self._swept = changes
            self._store.sweep()

    def _tidy(self, now: float) -> None:
        while self._store.fold(limit=_FOLD_BATCH) == _FOLD_BATCH:
            if monotonic() >= now + _FOLD_LONGEST:
                # The next turn goes on.
                self._tidy_at = now
                break
        if drifted := self._store.recount_limits():
            log.warning("limits_recounted keys=%d", drifted)

    def _prune(self, now: float) -> None:
        """Delete one batch; the next one soon, where there is more, and the loop's share is small."""
        self._prune_at = now + _PRUNE_SECONDS * random.uniform(0.7, 1.0)
        limit = self._prune_limit
        pruned = self._store.prune(older_than=self._keep, limit=limit)
        seconds = monotonic() - now
        self._pruned += pruned
        if pruned == limit:
            self._prune_limit = next_batch(limit, seconds)
            self._prune_at = now + seconds / _PRUNE_SHARE
            return
        if self._pruned:
            log.info("jobs_pruned jobs=%d", self._pruned)
            self._pruned = 0
        if primitives := self._store.prune_primitives(limit=_PRUNE_FIRST):
            log.info("primitives_pruned primitives=%d", primitives)

    def _align_clock(self) -> None:
        before, self._wall_ahead = self._wall_ahead, self._store.align_clock()
        if abs(self._wall_ahead - before) > _JUMP_SECONDS:
            log.warning(
                "clock_jumped seconds=%+.1f ahead=%+.1f",
                self._wall_ahead - before,
                self._wall_ahead,
            )
