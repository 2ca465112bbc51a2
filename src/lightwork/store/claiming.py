"""Claiming: the ready jobs that a worker may run become its attempts.

A worker names the lanes whose tasks it knows, and nothing else is looked at: who
knows no task `mail:send` neither takes nor passes over the jobs of it.

A claim takes jobs that begin at once, and more that will wait at the worker. Which
jobs are never among these, and why, says retry.py. The claim ahead ends before the
first of them, whatever queue comes next: it is the next that gets a free slot.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Connection

from lightwork.lifecycle import Failed
from lightwork.model import Attempt, ErrorInfo, Lane
from lightwork.store import statements as sql
from lightwork.store.attempts import Ending, end_attempts
from lightwork.store.chunks import padded_chunks
from lightwork.store.rows import AnyRow, CorruptRow, attempt_of, number_of

# Lanes that one statement merges: powers of two, so that there are few statements.
# SQLite takes 500 selects in one.
_MOST_LANES: Final = 64


def lanes(connection: Connection, queues: Iterable[str]) -> list[Lane]:
    """Return the lanes of the queues that have ready jobs, queue by queue."""
    text, names = sql.driver_lanes(connection.dialect)
    driver = connection.connection.driver_connection
    assert driver is not None
    return [
        Lane(queue, task)
        for queue in dict.fromkeys(queues)
        # Asked by every idle worker after every change of the store, and through SQLAlchemy
        # it would take four times as long as SQLite itself.
        for (task,) in driver.execute(text, [queue] * names)
        # A damaged row may hold anything; no worker knows a task of that name.
        if isinstance(task, str)
    ]


def claim(
    connection: Connection, worker_id: uuid.UUID, lanes: Iterable[Lane], limit: int, ahead: int
) -> list[Attempt]:
    """Take ready jobs queue by queue; a damaged one fails and holds up nobody."""
    claimed: list[Attempt] = []
    for queue, tasks in _by_queue(lanes):
        source = _Source(connection, worker_id, queue, tasks)
        claimed += source.claim(limit - len(claimed), begins=True)
        more = limit + ahead - len(claimed)
        if len(claimed) >= limit and more > 0:
            plain = source.count_before_suspect(more)
            claimed += source.claim(plain, begins=False)
            if plain < more:
                # Nothing goes ahead of that one, from other queues neither.
                break
    return claimed


def _by_queue(lanes: Iterable[Lane]) -> Iterable[tuple[str, list[str]]]:
    queues: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for lane in lanes:
        queues[lane.queue][lane.task] = None
    return [(queue, list(tasks)) for queue, tasks in queues.items()]


@dataclass(frozen=True, slots=True)
class _Source:
    """Where one worker claims from: a queue, and the tasks in it that it knows."""

    connection: Connection
    worker_id: uuid.UUID
    queue: str
    tasks: Sequence[str]

    def claim(self, limit: int, *, begins: bool) -> list[Attempt]:
        """Take so many jobs; `begins`: a slot is free for each."""
        claimed: list[Attempt] = []
        left = limit
        while left > 0:
            taken, damaged = self._claim_once(left, begins=begins)
            claimed += taken
            # Whoever gets fewer than asked for takes it that nothing more is ready.
            left = damaged
        return claimed

    def count_before_suspect(self, limit: int) -> int:
        """Return how many of the next jobs come before the first that is never claimed ahead."""
        if len(self.tasks) == 1:
            window = {"b_queue": self.queue, "b_task": self.tasks[0], "b_limit": limit}
            if self.connection.scalar(sql.ANY_SUSPECT, window) is None:
                return limit
        seqs = _best(self.connection, self.queue, self.tasks, limit)
        suspects: set[int] = set()
        for chunk in padded_chunks(seqs):
            suspects.update(self.connection.scalars(sql.SUSPECTS_AMONG, {"b_seqs": chunk}))
        return next((place for place, seq in enumerate(seqs) if seq in suspects), limit)

    def _claim_once(self, limit: int, *, begins: bool) -> tuple[list[Attempt], int]:
        """Return the attempts, and how many rows were damaged and failed instead."""
        rows = list(self._taken(limit, begins=begins))
        # RETURNING has no order of its own. Sorting is stable: by seq within a priority.
        rows.sort(key=attrgetter("seq"))
        rows.sort(key=lambda row: number_of(row.priority), reverse=True)
        claimed: list[Attempt] = []
        for row in rows:
            try:
                claimed.append(attempt_of(row))
            except CorruptRow as error:
                end_attempts(self.connection, [_corrupt(row, self.worker_id, error)])
        return claimed, len(rows) - len(claimed)

    def _taken(self, limit: int, *, begins: bool) -> Iterator[AnyRow]:
        values = {"b_worker": self.worker_id, "b_begins": int(begins)}
        if len(self.tasks) == 1:
            one = {"b_queue": self.queue, "b_task": self.tasks[0], "b_limit": limit}
            yield from self.connection.execute(sql.CLAIM, values | one)
            return
        for seqs in padded_chunks(_best(self.connection, self.queue, self.tasks, limit)):
            yield from self.connection.execute(sql.CLAIM_CHOSEN, values | {"b_seqs": seqs})


def _best(connection: Connection, queue: str, tasks: Sequence[str], limit: int) -> list[int]:
    """Return the seqs of the jobs that come first over all these lanes."""
    found: list[tuple[int, int]] = []
    for first in range(0, len(tasks), _MOST_LANES):
        some = tasks[first : first + _MOST_LANES]
        count = 1 << (len(some) - 1).bit_length()
        values: dict[str, Any] = {f"b_task{number}": None for number in range(count)}
        values |= {f"b_task{number}": task for number, task in enumerate(some)}
        values |= {"b_queue": queue, "b_limit": limit}
        rows = connection.execute(sql.best_of(count), values)
        found += [(-number_of(row.priority), row.seq) for row in rows]
    return [seq for _priority, seq in sorted(found)[:limit]]


def _corrupt(row: AnyRow, worker_id: uuid.UUID, error: CorruptRow) -> Ending:
    end = Failed(ErrorInfo(type=type(error).__name__, text=str(error)))
    return Ending(seq=row.seq, number=row.attempt, worker=worker_id.bytes, queue=row.queue, end=end)
