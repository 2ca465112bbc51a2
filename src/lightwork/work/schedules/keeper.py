"""Keeper: when a worker tells the store what its code declares, and takes back what it does not."""

import logging
import random
import uuid
from typing import Any, Final

from lightwork.clock import monotonic
from lightwork.errors import UsageError
from lightwork.store.contract import Store
from lightwork.tasks.names import is_of_session, short_name
from lightwork.tasks.task import Task
from lightwork.work.catalog import Catalog
from lightwork.work.schedules.declared import forgotten, new_schedule

log = logging.getLogger(__name__)

# How long a schedule stays whose function nobody knows any more.
_FORGET_SECONDS: Final = 60.0


class ScheduleKeeper:
    """The schedules that one worker's code declares; used by its loop only."""

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog
        # How many tasks were known when they were declared last.
        self._told = -1
        self._declared: set[str] = set()
        self._forget_at = 0.0

    def do_due(self, worker_id: uuid.UUID) -> None:
        """Declare what is new since the last time; now and then, forget what is gone.

        Each is booked as done only once it is: while the store is out of reach it is tried again.
        """
        if self._catalog.count != self._told:
            self._declare()
        now = monotonic()
        if now >= self._forget_at:
            self._forget(worker_id)
            self._forget_at = now + _FORGET_SECONDS * random.uniform(0.7, 1.0)

    def _declare(self) -> None:
        tasks = self._catalog.scheduled()
        count = self._catalog.count
        for task in tasks:
            if task.name not in self._declared:
                self._declare_one(task)
                self._declared.add(task.name)
        self._told = count

    def _declare_one(self, task: Task[..., Any]) -> None:
        if is_of_session(task.name):
            log.warning(
                "schedule_not_kept schedule=%s error=a session without a file declares it, and its "
                "jobs could never be run by another; put it into a module",
                short_name(task.name),
            )
            return
        try:
            if self._store.declare_schedules([new_schedule(task)]):
                log.info("schedule_declared schedule=%s", short_name(task.name))
        except UsageError as error:
            # Somebody has declared another of the name: that is for people to decide.
            log.warning("schedule_not_kept schedule=%s error=%s", short_name(task.name), error)

    def _forget(self, worker_id: uuid.UUID) -> None:
        kept = self._store.schedules()
        if not kept:
            return
        others = [worker for worker in self._store.workers() if worker.id != worker_id]
        gone = list(forgotten(kept, declared=self._declared, code=self._catalog, others=others))
        for name in self._store.remove_schedules(gone) if gone else ():
            log.info("schedule_forgotten schedule=%s", short_name(name))
