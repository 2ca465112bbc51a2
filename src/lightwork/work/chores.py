"""Chores: what any worker does for the whole store, in bounded batches.

Promote what is due, rescue what dead workers held, align the database clock. Every
worker does all of it, at jittered times; the statements are safe in parallel, so no leader is needed.
A chore books its next turn before it works: an error cannot end it.
"""

import logging
import random
from typing import Final

from lightwork.clock import monotonic
from lightwork.store.contract import Store
from lightwork.store.views import Rescued

log = logging.getLogger(__name__)

# How late a job may become ready that another process scheduled.
_PROMOTE_SECONDS: Final = 0.5
_PROMOTE_SOONEST: Final = 0.005
# How long one turn may promote, while the worker's loop waits.
_PROMOTE_LONGEST: Final = 0.1
_PROMOTE_BATCH: Final = 500
_RESCUE_BATCH: Final = 500
# How soon a death is noticed that can be told without the database.
_DEATH_SECONDS: Final = 0.5
# What the wall clock may gain or lose between two looks without having been set.
_JUMP_SECONDS: Final = 1.0


class Chores:
    """When to do what for one worker; used by its loop only."""

    def __init__(self, store: Store, ttl: float) -> None:
        self._store = store
        self._rescue_seconds = ttl / 3
        self._promote_at = 0.0
        self._rescue_at = 0.0
        self._look_at = 0.0
        self._wall_ahead = 0.0

    def expect_due(self, delay: float) -> None:
        """A job was scheduled to be due after this delay."""
        self._promote_at = min(self._promote_at, monotonic() + max(delay, _PROMOTE_SOONEST))

    def next_at(self) -> float:
        """Return the instant of the next chore."""
        return min(self._promote_at, self._rescue_at, self._look_at)

    def do_due(self) -> list[Rescued]:
        """Do what is due; return the attempts that were rescued."""
        now = monotonic()
        if now >= self._promote_at:
            self._promote(now)
        if now >= self._look_at:
            self._look_at = now + _DEATH_SECONDS
            if self._store.has_dead():
                self._rescue_at = now
        if now >= self._rescue_at:
            return self._rescue(now)
        return []

    def _promote(self, now: float) -> None:
        self._promote_at = now + _PROMOTE_SECONDS
        # A look first: two hundred idle workers would else write four hundred times a second.
        due_in = self._store.next_due_in()
        if due_in is not None and due_in <= 0:
            self._promote_all()
            due_in = self._store.next_due_in()
        if due_in is not None:
            self._promote_at = now + min(max(due_in, _PROMOTE_SOONEST), _PROMOTE_SECONDS)

    def _promote_all(self) -> None:
        """Batch by batch, each its own transaction, so that others write in between."""
        until = monotonic() + _PROMOTE_LONGEST
        while self._store.promote(limit=_PROMOTE_BATCH) == _PROMOTE_BATCH:
            if monotonic() >= until:
                return

    def _rescue(self, now: float) -> list[Rescued]:
        self._rescue_at = now + self._rescue_seconds * random.uniform(0.7, 1.0)
        self._align_clock()
        rescued = self._store.rescue(limit=_RESCUE_BATCH)
        if len(rescued) == _RESCUE_BATCH:
            # There may be more: next turn, so that others write in between.
            self._rescue_at = now
        if rescued:
            # One line however many: a dead worker may have held ten thousand.
            dead = {one.worker for one in rescued}
            log.warning("jobs_rescued jobs=%d dead_workers=%d", len(rescued), len(dead))
        for one in rescued:
            log.debug(
                "job_rescued job=%s attempt=%d worker=%s state=%s",
                one.job_id,
                one.number,
                one.worker,
                one.state_after,
            )
        return rescued

    def _align_clock(self) -> None:
        before, self._wall_ahead = self._wall_ahead, self._store.align_clock()
        if abs(self._wall_ahead - before) > _JUMP_SECONDS:
            log.warning(
                "clock_jumped seconds=%+.1f ahead=%+.1f",
                self._wall_ahead - before,
                self._wall_ahead,
            )
