"""Statements about lanes: which have ready jobs, the claim, and which wait for limits.

A lane is a queue and a task; its ready jobs are a range of the index ready_lane. A claim looks
at lanes only that it is given: jobs of others, a million of them at the head of the
queue, cost it nothing. It locks what it reads (`FOR UPDATE SKIP LOCKED`, which SQLite neither
has nor needs), then moves it.
"""

import functools
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CompoundSelect,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.sql.elements import ColumnElement

from lightwork.lifecycle import Claimed
from lightwork.model import State
from lightwork.retry import SUSPECT_LOSSES
from lightwork.store.sql.moves import WORKER, move, one_more
from lightwork.store.sql.states import AMONG, ZERO, raw
from lightwork.store.tables.clock_sql import NOW
from lightwork.store.tables.jobs import TIE_LIMITED, job, ready, running
from lightwork.store.tables.limits import IN_QUEUE, QUEUE_KEY, WAITS, limit_slot, limit_use
from lightwork.store.tables.queues import queue
from lightwork.store.tables.workers import worker

_QUEUE: Final = ready.c.queue == bindparam("b_queue")
# Asked once in a statement: no row of it depends on a job.
_IS_PAUSED: Final = exists().where(queue.c.name == bindparam("b_queue"))
# A queue is full if as many of its jobs run as its limit says; asked once in a statement as well.
_KEY_OF_QUEUE: Final = literal_column(f"'{QUEUE_KEY}'", String).concat(
    bindparam("b_queue", type_=String)
)
_QUEUE_SLOT: Final = limit_slot.c.key == _KEY_OF_QUEUE
_RUNNING_IN_QUEUE: Final = (
    select(func.count())
    .select_from(limit_use)
    .join(running, running.c.seq == limit_use.c.seq)
    .where(
        limit_use.c.stage == literal_column(str(IN_QUEUE)),
        limit_use.c.key == _KEY_OF_QUEUE,
    )
    .scalar_subquery()
)
_IS_FULL: Final = exists().where(_QUEUE_SLOT, limit_slot.c.cap <= _RUNNING_IN_QUEUE)
HAS_LIMIT: Final = exists().where(_QUEUE_SLOT)
_NEXT_TASK: Final = select(func.min(ready.c.task).label("task")).where(_QUEUE)


def _lanes(*conditions: ColumnElement[bool]) -> Select[Any]:
    """Select the tasks that have ready jobs in a queue: one seek each, however many jobs."""
    lane = _NEXT_TASK.cte("lane", recursive=True)
    following = _NEXT_TASK.where(ready.c.task > lane.c.task).correlate(lane).scalar_subquery()
    lane = lane.union_all(select(following).where(lane.c.task.is_not(None)))
    return select(lane.c.task).where(lane.c.task.is_not(None), *conditions)


# To claim from; and to look at, where a pause hides nothing.
LANES: Final = _lanes(~_IS_PAUSED, ~_IS_FULL)
ALL_LANES: Final = _lanes()
IS_OPEN: Final = select(and_(~_IS_PAUSED, ~_IS_FULL))


@functools.cache
def best_of(count: int) -> CompoundSelect[Any]:
    """Select what comes first among the ready jobs of so many lanes.

    The arms have no LIMIT of their own: SQLite and PostgreSQL merge the ranges of the
    index and stop at the last row that is wanted (64 lanes, 1000 rows: 1.2 ms; with
    limits, which SQLite sorts anew, 18 ms).
    """
    arms = [
        select(ready.c.rank, ready.c.seq).where(
            _QUEUE, ready.c.task == bindparam(f"b_task{number}", type_=String)
        )
        for number in range(count)
    ]
    columns = arms[0].selected_columns
    return union_all(*arms).order_by(columns.rank, columns.seq).limit(bindparam("b_limit"))


# Only claimed into a free slot, and begun by the claim: see retry.py.
_IS_SUSPECT: Final = or_(job.c.idempotent == 0, ready.c.losses >= SUSPECT_LOSSES)
# Whoever has failed or crashed has begun.
_IS_EXPIRED: Final = and_(
    job.c.expires_at.is_not(None),
    job.c.expires_at <= NOW,
    ready.c.failures == 0,
    ready.c.crashes == 0,
)
NEXT: Final = (
    select(
        ready.c.attempt,
        # Both are only claimed into a free slot; 1 is begun by that, too.
        case((_IS_SUSPECT, 1), (job.c.ties.bitwise_and(TIE_LIMITED) != 0, 2), else_=0).label(
            "is_suspect"
        ),
        # Once for all rows: in the move of each it would take a quarter of that.
        NOW.label("now"),
        case((_IS_EXPIRED, 1), else_=0).label("is_expired"),
        # In the order in which rows.attempt_of takes them.
        ready.c.seq,
        raw(job.c.id),
        one_more(ready.c.attempt).label("number"),
        job.c.task,
        raw(job.c.payload),
        job.c.policy,
        job.c.queue,
        job.c.priority,
        ready.c.failures,
        ready.c.crashes,
        job.c.ties,
        func.coalesce(ready.c.due_at, job.c.created_at).label("since"),
        job.c.headers,
    )
    .join_from(ready, job, job.c.seq == ready.c.seq)
    .where(
        exists().where(worker.c.id == WORKER, worker.c.state == "up", worker.c.lease_until > NOW),
        ~_IS_PAUSED,
        # Of a queue that has a limit nothing, unless the claim has locked its slot.
        or_(bindparam("b_is_counted", type_=Integer) == literal_column("1"), ~HAS_LIMIT),
    )
    .order_by(ready.c.rank, ready.c.seq)
    .with_for_update(skip_locked=True, of=ready)
)
# From one lane, which is the rule, in a single statement; from several, what best_of has chosen.
OF_LANE: Final = (_QUEUE, ready.c.task == bindparam("b_task"))
NEXT_OF_LANE: Final = NEXT.where(*OF_LANE).limit(bindparam("b_limit"))
NEXT_CHOSEN: Final = NEXT.where(ready.c.seq.in_(AMONG))
CLAIM: Final = move(
    State.READY,
    Claimed,
    attempt=one_more(ready.c.attempt),
    worker=WORKER,
    begun=bindparam("b_begun", type_=Integer),
    started_at=bindparam("b_now", type_=BigInteger),
    cancel_requested=ZERO,
    progress_done=null(),
    progress_total=null(),
    progress_note=null(),
)

# Limits: the lanes of keys for which jobs wait, one seek each, however many jobs.

_KEYS: Final = bindparam("b_keys", expanding=True, type_=String)
_NEXT_LANE: Final = select(func.min(limit_use.c.lane)).where(limit_use.c.stage == WAITS)
_of_key = (
    select(
        limit_slot.c.key,
        _NEXT_LANE.where(limit_use.c.key == limit_slot.c.key)
        .correlate(limit_slot)
        .scalar_subquery()
        .label("lane"),
    )
    .where(limit_slot.c.key.in_(_KEYS))
    .cte("waiting", recursive=True)
)
_after = (
    _NEXT_LANE.where(limit_use.c.key == _of_key.c.key, limit_use.c.lane > _of_key.c.lane)
    .correlate(_of_key)
    .scalar_subquery()
)
_of_key = _of_key.union_all(select(_of_key.c.key, _after).where(_of_key.c.lane.is_not(None)))
WAITING_LANES: Final = select(_of_key.c.key, _of_key.c.lane).where(_of_key.c.lane.is_not(None))


@functools.cache
def next_lanes(count: int) -> Select[Any]:
    """Select, for so many keys, the lane that comes next for which jobs wait; NULL: none does.

    For databases that can seek only what they know before they begin.
    """
    found = (
        _NEXT_LANE.where(
            limit_use.c.key == bindparam(f"b_key{number}", type_=String),
            limit_use.c.lane > bindparam(f"b_lane{number}", type_=BigInteger),
        ).scalar_subquery()
        for number in range(count)
    )
    return select(*(one.label(f"lane{number}") for number, one in enumerate(found)))
