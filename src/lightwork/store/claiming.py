"""Claiming: the ready jobs that a worker may run become its attempts.

A worker names the lanes whose tasks it knows, and nothing else is looked at: who
knows no task `mail:send` neither takes nor passes over the jobs of it.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
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
    return [
        Lane(queue, task)
        for queue in dict.fromkeys(queues)
        for task in connection.scalars(sql.LANES, {"b_queue": queue})
        # A damaged row may hold anything; no worker knows a task of that name.
        if isinstance(task, str)
    ]


def claim(
    connection: Connection, worker_id: uuid.UUID, lanes: Iterable[Lane], limit: int
) -> list[Attempt]:
    """Take ready jobs queue by queue; a damaged one fails and holds up nobody."""
    claimed: list[Attempt] = []
    for queue, tasks in _by_queue(lanes):
        left = limit - len(claimed)
        while left > 0:
            taken, damaged = _claim_from(connection, worker_id, queue, tasks, left)
            claimed += taken
            # Whoever gets fewer than asked for takes it that nothing more is ready.
            left = damaged
    return claimed


def _by_queue(lanes: Iterable[Lane]) -> Iterable[tuple[str, list[str]]]:
    queues: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for lane in lanes:
        queues[lane.queue][lane.task] = None
    return [(queue, list(tasks)) for queue, tasks in queues.items()]


def _claim_from(
    connection: Connection, worker_id: uuid.UUID, queue: str, tasks: Sequence[str], limit: int
) -> tuple[list[Attempt], int]:
    """Return the attempts, and how many rows were damaged and failed instead."""
    rows = list(_taken(connection, worker_id, queue, tasks, limit))
    # RETURNING has no order of its own. Sorting is stable: by seq within a priority.
    rows.sort(key=attrgetter("seq"))
    rows.sort(key=lambda row: number_of(row.priority), reverse=True)
    claimed: list[Attempt] = []
    for row in rows:
        try:
            claimed.append(attempt_of(row))
        except CorruptRow as error:
            end_attempts(connection, [_corrupt(row, worker_id, error)])
    return claimed, len(rows) - len(claimed)


def _taken(
    connection: Connection, worker_id: uuid.UUID, queue: str, tasks: Sequence[str], limit: int
) -> Iterator[AnyRow]:
    if len(tasks) == 1:
        values = {"b_worker": worker_id, "b_queue": queue, "b_task": tasks[0], "b_limit": limit}
        yield from connection.execute(sql.CLAIM, values)
        return
    for seqs in padded_chunks(_best(connection, queue, tasks, limit)):
        yield from connection.execute(sql.CLAIM_CHOSEN, {"b_worker": worker_id, "b_seqs": seqs})


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
