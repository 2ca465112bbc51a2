"""Counting: what a worker adds to the store's history: ends, and how long jobs ran and waited.

Kept in memory and written every five seconds, into rows of this worker's own: a job costs half a
microsecond for it, and a worker that is killed takes some seconds of counts along. Every
worker also folds what others have left, unless a server does; see store/admin/rollups.py.
"""

import logging
import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Final, get_args

from lightwork.clock import monotonic
from lightwork.errors import StoreError
from lightwork.lifecycle import AttemptEnd, Forfeited, Lost, Quarantined
from lightwork.model import Attempt
from lightwork.store.contract import Store
from lightwork.store.histogram import bucket_of
from lightwork.store.views import Rescued, Rollup
from lightwork.work.flight.ending import Ran

log = logging.getLogger(__name__)

_SEND_SECONDS: Final = 5.0
_FOLD_SECONDS: Final = 60.0
_FOLD_BATCH: Final = 1000
_waiting: Final = attrgetter("policy.queue", "task", "waited")
# What an end counts as. Of jobs that were lost once too often the attempt was lost, and the job failed.
_WORDS: Final[dict[type[AttemptEnd], tuple[str, ...]]] = {
    **{kind: (kind.__name__.lower(),) for kind in get_args(AttemptEnd)},
    Quarantined: ("lost", "failed"),
    Forfeited: ("released",),
}


class _Counts:
    """What has happened to the jobs of one queue and task."""

    __slots__ = ("ends", "run", "run_seconds", "wait", "wait_seconds")

    def __init__(self) -> None:
        self.ends: dict[type[AttemptEnd], int] = defaultdict(int)
        self.run: dict[int, int] = defaultdict(int)
        self.wait: dict[int, int] = defaultdict(int)
        self.run_seconds = 0.0
        self.wait_seconds = 0.0


class Counting:
    """The counts of one worker; used by its loop only."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._counts: defaultdict[tuple[str, str], _Counts] = defaultdict(_Counts)
        self._send_at = monotonic() + _SEND_SECONDS
        self._fold_at = monotonic() + _FOLD_SECONDS * random.uniform(0.1, 1.0)

    def claimed(self, attempts: Iterable[Attempt]) -> None:
        """Count how long these have waited."""
        # Submitted together, many have waited for as long.
        for (queue, task, waited), jobs in Counter(map(_waiting, attempts)).items():
            counts = self._counts[queue, task]
            counts.wait[bucket_of(waited)] += jobs
            counts.wait_seconds += waited * jobs

    def ended(self, ran: Iterable[Ran]) -> None:
        """Count how attempts have ended, and how long they ran."""
        for attempt, end, seconds in ran:
            counts = self._counts[attempt.policy.queue, attempt.task]
            counts.ends[type(end)] += 1
            if seconds >= 0:
                counts.run[bucket_of(seconds)] += 1
                counts.run_seconds += seconds

    def rescued(self, rescued: Iterable[Rescued]) -> None:
        """Count attempts that were lost with their worker."""
        for one in rescued:
            self._counts[one.queue, one.task].ends[Lost] += 1

    def send_due(self, worker_id: uuid.UUID) -> None:
        """Write what was counted, and fold, if it is time."""
        now = monotonic()
        if now >= self._send_at:
            self.send(worker_id)
        if now >= self._fold_at and not self._store.has_upkeep:
            self._fold(now)

    def send(self, worker_id: uuid.UUID) -> None:
        """Write what was counted; where the store cannot take it, later."""
        self._send_at = monotonic() + _SEND_SECONDS
        if not self._counts:
            return
        try:
            self._store.add_rollups(worker_id, list(_rollups(self._counts)))
        except StoreError as error:
            log.debug("rollups_not_added error=%s", error)
        else:
            self._counts.clear()

    def _fold(self, now: float) -> None:
        self._fold_at = now + _FOLD_SECONDS * random.uniform(0.7, 1.0)
        try:
            if self._store.fold_rollups(limit=_FOLD_BATCH) >= _FOLD_BATCH:
                # There may be more; others write in between.
                self._fold_at = now + 1.0
        except StoreError as error:
            log.debug("rollups_not_folded error=%s", error)


def _rollups(counts: dict[tuple[str, str], _Counts]) -> Iterator[Rollup]:
    for (queue, task), found in counts.items():
        words: dict[str, int] = defaultdict(int)
        for end, jobs in found.ends.items():
            for word in _WORDS[end]:
                words[word] += jobs
        for word, jobs in words.items():
            yield Rollup(queue=queue, task=task, measure=word, jobs=jobs)
        for measure, buckets, seconds in (
            ("run", found.run, found.run_seconds),
            ("wait", found.wait, found.wait_seconds),
        ):
            # All of it with one of the buckets: only the sum over them means something.
            left = round(seconds * 1000)
            for bucket, jobs in buckets.items():
                yield Rollup(
                    queue=queue,
                    task=task,
                    measure=measure,
                    bucket=bucket,
                    jobs=jobs,
                    total_ms=left,
                )
                left = 0
