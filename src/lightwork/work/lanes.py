"""Lanes: where a worker claims: the queues it serves, parted by task, of tasks that it knows.

Jobs of other tasks stay ready for whoever knows them, and cost nothing but the look
at their lane. What has been read is used again for as long as a worker claims ahead
anyway, so a busy worker does not look before each claim.
"""

import logging
import math
import sys
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from lightwork.clock import monotonic
from lightwork.model import ANY_TASK, Attempt, Lane
from lightwork.store.contract import Store
from lightwork.tasks.resting import say_resting
from lightwork.work.catalog import Catalog
from lightwork.work.pace import AHEAD_SECONDS
from lightwork.work.resting import Rests
from lightwork.work.unserved import module_of

log = logging.getLogger(__name__)

# Tasks that a worker tells by name; beyond, it says that it may know any.
_MOST_TOLD: Final = 500
_MOST_RESTS_TOLD: Final = 20
# Of the queue with the largest weight, where others have jobs as well: few enough that nobody sees the turns.
_TURN: Final = 50
# A task that is unknown now may be imported, or declared in a notebook, later.
_ASK_AGAIN_SECONDS: Final = 0.5


class KnownLanes:
    """The lanes from which one worker claims; used by its loop only."""

    def __init__(
        self,
        store: Store,
        queues: Sequence[str],
        catalog: Catalog,
        weights: Mapping[str, float] | None = None,
        *,
        is_burst: bool = False,
    ) -> None:
        self._store = store
        self._is_burst = is_burst
        # Of who ends then: nothing was claimed from where jobs may be ready, or no other place was found.
        self._is_doubtful = False
        self._queues = queues
        # Without weights the first queue that has jobs comes first.
        self._shares = Shares(weights) if weights else None
        self._catalog = catalog
        self._lanes: list[Lane] = []
        self._good_until = 0.0
        # When to ask again for a task that was unknown.
        self._unknown: dict[str, float] = {}
        self._rests = Rests()
        # How many tasks were known, and what had changed of those that rest, when others were told.
        self._told = (catalog.count, 0)
        # Whether none was found that is known; of who ends then, by a look that leaves nothing out.
        self.are_none = self.are_fresh = False

    def current(self) -> list[Lane]:
        """Return the lanes; `are_fresh` then says whether they were read just now."""
        self.are_fresh = not self._lanes or monotonic() >= self._good_until
        if self.are_fresh:
            self.look()
        if self._shares is None or not self._lanes:
            return self._lanes
        order = self._shares.order(lane.queue for lane in self._lanes)
        return sorted(self._lanes, key=lambda lane: order.index(lane.queue))

    def turn(self, limit: int) -> tuple[list[Lane], int]:
        """Return the lanes, and how many of so many jobs are to be claimed from them at once."""
        lanes = self.current()
        return lanes, limit if self._shares is None else min(limit, self._shares.most)

    def note_claimed(self, attempts: Sequence[Attempt]) -> None:
        """Note from where jobs were claimed, for whose turn it is next."""
        self._is_doubtful = self._is_burst and not attempts
        if self._shares is not None:
            for queue, jobs in Counter(one.policy.queue for one in attempts).items():
                self._shares.note(queue, jobs)

    def note_ran(self, task: str) -> None:
        """Note that an attempt of the task was run by a child, which has loaded it."""
        self._rests.note_ran(task)

    def rest(self, unloaded: Mapping[str, str]) -> None:
        """Leave out for a while what children could not load; by task, what it raised."""
        for task, error in unloaded.items():
            if seconds := self._rests.begin(task, error, monotonic()):
                text = "task_not_loaded task=%.500s rests=%g error=%.2000s"
                log.warning(text, task, seconds, error)
                self.forget()

    def look(self) -> None:
        """Read where jobs are ready."""
        self._good_until = monotonic() + AHEAD_SECONDS
        lanes = self._read()
        if self._is_burst and not self._lanes and not self._is_doubtful:
            self._is_doubtful = True
            lanes = self._read()
        self.are_none = not self._lanes
        ready = {lane.task for lane in lanes}
        self._unknown = {task: at for task, at in self._unknown.items() if task in ready}

    def _read(self) -> list[Lane]:
        lanes = self._store.lanes(self._queues, is_whole=self._is_doubtful)
        self._lanes = [lane for lane in lanes if self._knows(lane.task)]
        return lanes

    def forget(self) -> None:
        """Look again before the next claim."""
        self._lanes = []

    def tasks(self) -> tuple[str, ...]:
        """Return the names of the tasks that are known by now, as others are told them."""
        names = self._catalog.names
        more = [ANY_TASK] if len(names) > _MOST_TOLD else []
        rests = list(self._rests.errors().items())[:_MOST_RESTS_TOLD]
        return (*names[:_MOST_TOLD], *more, *(say_resting(task, error) for task, error in rests))

    def publish(self, worker_id: uuid.UUID) -> None:
        """Tell others, if more tasks are known than when this was done last, or others rest."""
        known = (self._catalog.count, self._rests.changes)
        if known != self._told:
            self._store.publish_tasks(worker_id, self.tasks())
            self._told = known

    def _knows(self, task: str) -> bool:
        now = monotonic()
        if self._rests.has(task, now) or self._unknown.get(task, now) > now:
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


class Shares:
    """Whose turn it is among queues with weights. Pure: no clock, no chance.

    Each queue has a meter, which every job that is claimed from it moves on by one over its weight;
    the queue whose meter is behind comes first. So over any while in which queues always have jobs, each
    gets its share to within one turn, and none starves, however small its weight. A queue that was
    empty begins where the others are: it has saved up nothing.

    A turn ends when the meter is _TURN jobs of the largest weight ahead: a claim of short jobs would take hundreds.

    Args:
        weights: Of each queue, in the order that counts where meters are equal.

    Attributes:
        most: How many jobs the turn of the queue lasts that `order` has put first.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._weights = weights
        self._meters = dict.fromkeys(weights, 0.0)
        # Those that had jobs when they were put in order last.
        self._busy: frozenset[str] = frozenset()
        self.most = sys.maxsize

    def order(self, ready: Iterable[str]) -> list[str]:
        """Return the queues that have jobs, the one whose turn it is first."""
        now = frozenset(ready)
        known = [queue for queue in self._weights if queue in now]
        level = min((self._meters[queue] for queue in known if queue in self._busy), default=0.0)
        for queue in known:
            if queue not in self._busy:
                self._meters[queue] = max(self._meters[queue], level)
        self._busy = now
        order = sorted(known, key=self._meters.__getitem__)
        self.most = sys.maxsize if len(order) < 2 else self._most(order[0], order[1], order)
        return order

    def _most(self, first: str, second: str, known: Iterable[str]) -> int:
        ahead = _TURN / max(self._weights[queue] for queue in known)
        behind = self._meters[second] - self._meters[first]
        return max(1, math.floor((behind + ahead) * self._weights[first]))

    def note(self, queue: str, jobs: int = 1) -> None:
        """Note that jobs were claimed from a queue."""
        if queue in self._meters:
            self._meters[queue] += jobs / self._weights[queue]
