"""Claiming: the ready jobs that a worker may run become its attempts.

A worker names the lanes whose tasks it knows, and nothing else is looked at: who
knows no task `mail:send` neither takes nor passes over the jobs of it.

Of a queue that has a limit of its own nothing is found at first, so that other queues cost no look at
limits. Then its slot is locked, and as many are taken as there is room for; see queue_limits.py.

What the rows say becomes attempts once they are claimed and nobody waits for the lock any more: a damaged
one fails then, and the claim goes on.

A claim takes jobs that begin at once, and more that will wait at the worker. Which
jobs are never among these, and why, says retry.py. The claim ahead ends before the
first of them, whatever queue comes next: it is the next that gets a free slot.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection

from lightwork.clock import monotonic
from lightwork.lifecycle import Failed
from lightwork.model import Attempt, ErrorInfo, Lane
from lightwork.store.operations import ties
from lightwork.store.operations.attempts import Ending, end_attempts
from lightwork.store.operations.bounds import limits, queue_limits
from lightwork.store.operations.bounds.expiry import end_expired
from lightwork.store.sql import lanes as sql
from lightwork.store.sql.in_lists import padded_chunks
from lightwork.store.sql.rows import AnyRow, CorruptRow, attempt_of, number_of
from lightwork.store.sql.spelling import Spelling
from lightwork.store.tables.jobs import TIE_LIMITED, TIE_UNTIL_BEGIN

# Places in what lanes.py selects.
_SUSPECT, _SEQ, _NUMBER, _QUEUE, _TIES = 1, 4, 6, 10, 14
# So long, in seconds, one statement is not tried in a lane in which it was too little.
_LONG_WAY: Final = 1.0
# Lanes of which that is remembered.
_MOST_REMEMBERED: Final = 1000
# A claimed row, and what is wrong with it.
Damaged: TypeAlias = tuple[AnyRow, CorruptRow]


def lanes(
    connection: Connection, spelling: Spelling, queues: Iterable[str], *, is_whole: bool = False
) -> list[Lane]:
    """Return the lanes of the queues that have ready jobs, queue by queue."""
    return [
        Lane(queue, task)
        for queue in dict.fromkeys(queues)
        for task in spelling.lanes(connection, queue, is_whole=is_whole)
        # A damaged row may hold anything; no worker knows a task of that name.
        if isinstance(task, str)
    ]


def claim(
    connection: Connection,
    spelling: Spelling,
    worker_id: uuid.UUID,
    *,
    lanes: Iterable[Lane],
    limit: int,
    ahead: int,
) -> list[AnyRow]:
    """Take ready jobs queue by queue; return their rows, for `attempts_of`."""
    claimed: list[AnyRow] = []
    by_queue = _by_queue(lanes)
    queues = [queue for queue, _tasks in by_queue]
    for queue, tasks in by_queue:
        source = _Source(connection, spelling, worker_id, queue, tasks, queues)
        while len(claimed) < limit + ahead:
            slots = max(limit - len(claimed), 0)
            found = source.next(limit + ahead - len(claimed), slots)
            rows = _before_suspect(found, slots)
            taken = source.take(rows)
            claimed += taken
            if len(taken) == len(rows):
                break
        else:
            break
        if len(rows) < len(found):
            # Nothing goes ahead of that one, from other queues neither.
            break
    return claimed


class ShortWay:
    """Where a claim may be tried by one statement (spelling.claim_plain), which some jobs and queues take more than.

    To try costs a statement, and where it has locked jobs a commit.
    """

    def __init__(self) -> None:
        self._closed_until: dict[Lane, float] = {}

    def lane_of(self, lanes: Sequence[Lane]) -> Lane | None:
        """Return the lane to try it in, if there is one."""
        if len(lanes) != 1 or monotonic() < self._closed_until.get(lanes[0], 0.0):
            return None
        return lanes[0]

    def close(self, lane: Lane) -> None:
        """Note that it was too little there."""
        if len(self._closed_until) >= _MOST_REMEMBERED:
            self._closed_until.clear()
        self._closed_until[lane] = monotonic() + _LONG_WAY


def attempts_of(rows: Iterable[AnyRow]) -> tuple[list[Attempt], list[Damaged]]:
    """Return the attempts of rows that were claimed, and those of damaged ones, which are to fail."""
    claimed: list[Attempt] = []
    damaged: list[Damaged] = []
    for row in rows:
        try:
            claimed.append(attempt_of(row))
        except CorruptRow as error:
            damaged.append((row, error))
    return claimed, damaged


def fail_damaged(
    connection: Connection,
    spelling: Spelling,
    worker_id: uuid.UUID,
    damaged: Iterable[Damaged],
) -> None:
    """End what a worker has claimed and nobody can run."""
    endings = [_corrupt(row, worker_id, error) for row, error in damaged]
    end_attempts(connection, spelling, endings)


def _before_suspect(rows: Sequence[AnyRow], slots: int) -> Sequence[AnyRow]:
    """Return the rows before the first, behind those that get a free slot, that is never claimed ahead."""
    # By its place in lanes.py, as in `take`.
    for place, row in enumerate(rows[slots:], slots):
        if row[_SUSPECT]:
            return rows[:place]
    return rows


def _by_queue(lanes: Iterable[Lane]) -> list[tuple[str, list[str]]]:
    queues: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for lane in lanes:
        queues[lane.queue][lane.task] = None
    return [(queue, list(tasks)) for queue, tasks in queues.items()]


@dataclass(slots=True)
class _Source:
    """Where one worker claims from: a queue, and the tasks in it that it knows.

    Attributes:
        queues: All of this claim.
        is_counted: The queue has a limit, and its slot is locked.
    """

    connection: Connection
    spelling: Spelling
    worker_id: uuid.UUID
    queue: str
    tasks: Sequence[str]
    queues: Sequence[str]
    is_counted: bool = False

    def next(self, limit: int, slots: int) -> list[AnyRow]:
        """Return the rows of the next jobs, first to last, locked; `slots` of them can begin at once."""
        found = [] if self.is_counted else self._next(limit)
        if found or not slots:
            return found
        caps = queue_limits.lock(self.connection, self.queues)
        self.is_counted = self.queue in caps
        if not self.is_counted:
            return []
        # None is claimed ahead, as under any limit.
        room = queue_limits.room(self.connection, self.queue, caps[self.queue])
        return self._next(min(slots, room)) if room else []

    def _next(self, limit: int) -> list[AnyRow]:
        values: dict[str, Any] = {
            "b_worker": self.worker_id,
            "b_queue": self.queue,
            "b_is_counted": int(self.is_counted),
        }
        if len(self.tasks) == 1:
            values |= {"b_task": self.tasks[0], "b_limit": limit}
            return self.spelling.next_of_lane(self.connection, values)
        found = self.spelling.best_of(self.connection, self.queue, self.tasks, limit)
        best = [seq for _rank, seq in sorted(found)[:limit]]
        rows = {
            row.seq: row
            for chunk in padded_chunks(best)
            for row in self.connection.execute(sql.NEXT_CHOSEN, values | {"b_seqs": chunk})
        }
        return [rows[seq] for seq in best if seq in rows]

    def take(self, rows: Sequence[AnyRow]) -> Sequence[AnyRow]:
        """Make them running; return those that are."""
        if any(map(itemgetter(3), rows)):
            rows = self._without_expired(rows)
        if any(map(itemgetter(_TIES), rows)):
            rows = self._admitted(rows)
        worker = self.worker_id.bytes
        # By their places in lanes.py: names take three times as long.
        keys = [
            {
                "b_seq": seq,
                "b_number": number,
                "b_worker": worker,
                "b_begun": begun & 1,
                "b_now": now,
            }
            for number, begun, now, seq in map(itemgetter(0, 1, 2, 4), rows)
        ]
        if keys:
            self.spelling.change_each(self.connection, sql.CLAIM, keys)
        if self.is_counted:
            queue_limits.count(self.connection, self.spelling, self.queue, rows)
        if any(map(itemgetter(_TIES), rows)):
            ties.begin(self.connection, [row.seq for row in rows if _has(row, TIE_UNTIL_BEGIN)])
        return rows

    def _admitted(self, rows: Sequence[AnyRow]) -> Sequence[AnyRow]:
        """Return those that no limit holds back: the others are blocked now."""
        limited = [row.seq for row in rows if _has(row, TIE_LIMITED)]
        if not limited:
            return rows
        if len(self.queues) > 1:
            # Before the slots of jobs: the next queue may have a limit.
            queue_limits.lock(self.connection, self.queues)
        held_back = set(limited) - limits.admit(self.connection, self.spelling, limited)
        return [row for row in rows if row.seq not in held_back]

    def _without_expired(self, rows: Sequence[AnyRow]) -> list[AnyRow]:
        end_expired(self.connection, self.spelling, [row for row in rows if row.is_expired])
        return [row for row in rows if not row.is_expired]


def _has(row: AnyRow, tie: int) -> bool:
    return bool(number_of(row.ties) & tie)


def _corrupt(row: AnyRow, worker_id: uuid.UUID, error: CorruptRow) -> Ending:
    end = Failed(ErrorInfo(type=type(error).__name__, text=str(error)))
    return Ending(
        seq=row[_SEQ],
        number=row[_NUMBER],
        worker=worker_id.bytes,
        queue=row[_QUEUE],
        ties=number_of(row[_TIES]),
        end=end,
    )
