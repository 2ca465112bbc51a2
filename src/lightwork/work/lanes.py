"""Lanes: where a worker claims: the queues it serves, parted by task, of tasks that it knows.

Jobs of other tasks stay ready for whoever knows them, and cost nothing but the look
at their lane. What has been read is used again for as long as a worker claims ahead
anyway, so a busy worker does not look before each claim.
"""

import logging
import uuid
from collections.abc import Sequence
from typing import Final

from lightwork.clock import monotonic
from lightwork.model import ANY_TASK, Lane
from lightwork.store.contract import Store
from lightwork.work.catalog import Catalog
from lightwork.work.pace import AHEAD_SECONDS
from lightwork.work.unserved import module_of

log = logging.getLogger(__name__)

# Tasks that a worker tells by name; beyond, it says that it may know any.
_MOST_TOLD: Final = 500
# A task that is unknown now may be imported, or declared in a notebook, later.
_ASK_AGAIN_SECONDS: Final = 0.5


class KnownLanes:
    """The lanes from which one worker claims; used by its loop only."""

    def __init__(self, store: Store, queues: Sequence[str], catalog: Catalog) -> None:
        self._store = store
        self._queues = queues
        self._catalog = catalog
        self._lanes: list[Lane] = []
        self._good_until = 0.0
        # When to ask again for a task that was unknown.
        self._unknown: dict[str, float] = {}
        # How many tasks were known when others were told.
        self._told = catalog.count
        self.are_fresh = False

    def current(self) -> list[Lane]:
        """Return the lanes; `are_fresh` then says whether they were read just now."""
        self.are_fresh = not self._lanes or monotonic() >= self._good_until
        if self.are_fresh:
            self.look()
        return self._lanes

    def look(self) -> None:
        """Read where jobs are ready."""
        self._good_until = monotonic() + AHEAD_SECONDS
        lanes = self._store.lanes(self._queues)
        self._lanes = [lane for lane in lanes if self._knows(lane.task)]
        ready = {lane.task for lane in lanes}
        self._unknown = {task: at for task, at in self._unknown.items() if task in ready}

    def forget(self) -> None:
        """Look again before the next claim."""
        self._lanes = []

    def tasks(self) -> tuple[str, ...]:
        """Return the names of the tasks that are known by now, as others are told them."""
        names = self._catalog.names
        more = [ANY_TASK] if len(names) > _MOST_TOLD else []
        return (*names[:_MOST_TOLD], *more)

    def publish(self, worker_id: uuid.UUID) -> None:
        """Tell others, if more tasks are known than when this was done last."""
        count = self._catalog.count
        if count != self._told:
            self._store.publish_tasks(worker_id, self.tasks())
            self._told = count

    def _knows(self, task: str) -> bool:
        now = monotonic()
        if self._unknown.get(task, now) > now:
            return False
        if self._catalog.knows(task):
            self._unknown.pop(task, None)
            return True
        if task not in self._unknown:
            log.info("task_unknown task=%.500s%s", task, self._hint(task))
        self._unknown[task] = now + _ASK_AGAIN_SECONDS
        return False

    def _hint(self, task: str) -> str:
        module = module_of(task)
        if not any(known.startswith(f"{module}:") for known in self._catalog.names):
            return ""
        return f"; of {module} only tasks are known, a plain function needs --allow {module}"
