"""Limits of queues: how many jobs of a queue run at once, whenever they were submitted.

The limit is a row of `limit_slot` under a key that belongs to the queue, and each job that was claimed from it
has a row of `limit_use`. Nothing waits there: a full queue is closed to all claims, as a paused one is, so its
jobs stay ready in their lanes. And nothing is given back: who claims locks the slot and counts which of those
that were claimed still run.

    claim: the queue has a limit ──> its slot is locked ──> rows of jobs that run no more are deleted,
           the others are counted ──> as many are taken as there is room for, each with a row

So an end of a job costs nothing more, whoever ends it, and what a kill leaves lying is no slot. Held: a job of
the queue that runs has a row, or was claimed by somebody who did not know of the limit: before it was
set, at that moment, or by an older program. `count_in` makes their rows: when it is set, and as a chore.

Locks: slots in the order of their keys. A claim locks those of all its queues at once, before any slot of a
job's own limits.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, String, bindparam, delete, exists, select, update

from lightwork.store.sql.in_lists import padded_chunks
from lightwork.store.sql.rows import AnyRow, number_of, text_of
from lightwork.store.sql.spelling import Spelling
from lightwork.store.sql.states import AMONG
from lightwork.store.tables.jobs import job, running
from lightwork.store.tables.limits import IN_QUEUE, NO_LANE, QUEUE_KEY, limit_slot, limit_use

# No instant is later: a slot that is used in no way that is noted is never forgotten as unused.
_NEVER: Final = 2**62

_KEYS: Final = bindparam("b_keys", expanding=True, type_=String)
_BY_KEY: Final = limit_slot.c.key == bindparam("b_key", type_=String)
_OF_KEY: Final = (
    limit_use.c.key == bindparam("b_key", type_=String),
    limit_use.c.stage == IN_QUEUE,
)
_ALL: Final = select(limit_slot.c.key, limit_slot.c.cap).where(
    limit_slot.c.key.startswith(QUEUE_KEY)
)
_LOCK: Final = (
    select(limit_slot.c.key, limit_slot.c.cap)
    .where(limit_slot.c.key.in_(_KEYS))
    .order_by(limit_slot.c.key)
    .with_for_update()
)
_COUNTED: Final = (
    select(limit_use.c.seq, running.c.seq.label("runs"))
    .outerjoin(running, running.c.seq == limit_use.c.seq)
    .where(*_OF_KEY)
)
_FORGET: Final = delete(limit_use).where(*_OF_KEY, limit_use.c.seq.in_(AMONG))
_FORGET_ALL: Final = delete(limit_use).where(*_OF_KEY)
_CAP: Final = select(limit_slot.c.cap).where(_BY_KEY)
_SET_CAP: Final = update(limit_slot).where(_BY_KEY).values(cap=bindparam("b_cap"))
_REMOVE: Final = delete(limit_slot).where(_BY_KEY)
_UNCOUNTED: Final = (
    select(running.c.seq, job.c.queue, job.c.priority)
    .join(job, job.c.seq == running.c.seq)
    .where(
        job.c.queue.in_(bindparam("b_queues", expanding=True, type_=String)),
        ~exists().where(limit_use.c.seq == running.c.seq, limit_use.c.stage == IN_QUEUE),
    )
)


def limits(connection: Connection) -> dict[str, int]:
    """Return how many jobs of a queue may run at once, for each that has a limit."""
    return {row.key.removeprefix(QUEUE_KEY): row.cap for row in connection.execute(_ALL)}


def cap_of(connection: Connection, queue: str) -> int:
    """Return how many jobs of a queue may run at once; 0: any number."""
    return connection.scalar(_CAP, {"b_key": QUEUE_KEY + queue}) or 0


def set_limit(connection: Connection, spelling: Spelling, queue: str, cap: int) -> bool:
    """Let at most so many jobs of a queue run at once, 0: any number; False: so it was already."""
    key = QUEUE_KEY + queue
    if cap == cap_of(connection, queue):
        return False
    if not cap:
        connection.execute(_REMOVE, {"b_key": key})
        connection.execute(_FORGET_ALL, {"b_key": key})
        return True
    row = {"b_key": key, "b_cap": cap, "b_used": 0, "b_rate": 0.0, "b_burst": 0.0, "b_tokens": 0.0}
    spelling.insert_missing(connection, limit_slot, [row | {"b_filled_at": _NEVER}])
    connection.execute(_SET_CAP, {"b_key": key, "b_cap": cap})
    return True


def lock(connection: Connection, queues: Iterable[str]) -> dict[str, int]:
    """Lock the slots of those queues that have a limit, and return it."""
    return {
        row.key.removeprefix(QUEUE_KEY): row.cap
        for chunk in padded_chunks(sorted(QUEUE_KEY + queue for queue in queues))
        for row in connection.execute(_LOCK, {"b_keys": chunk})
    }


def room(connection: Connection, queue: str, cap: int) -> int:
    """Return how many more jobs of a queue may run, whose slot is locked."""
    key = QUEUE_KEY + queue
    rows = connection.execute(_COUNTED, {"b_key": key}).all()
    gone = sorted(row.seq for row in rows if row.runs is None)
    for chunk in padded_chunks(gone):
        connection.execute(_FORGET, {"b_key": key, "b_seqs": chunk})
    return max(cap - (len(rows) - len(gone)), 0)


def count(connection: Connection, spelling: Spelling, queue: str, rows: Iterable[AnyRow]) -> None:
    """Count jobs in that were claimed from a queue whose slot is locked."""
    _count(connection, spelling, [_use(queue, row) for row in rows])


def is_one_uncounted(connection: Connection) -> bool:
    """Return whether a job runs in a queue with a limit and does not count; reads all that run."""
    queues = sorted(limits(connection))
    return any(
        connection.execute(_UNCOUNTED.limit(1), {"b_queues": chunk}).first()
        for chunk in padded_chunks(queues)
    )


def count_in(connection: Connection, spelling: Spelling) -> None:
    """Count in the jobs that run in queues with limits and do not count yet."""
    queues = sorted(limits(connection))
    lock(connection, queues)
    found = (
        row
        for chunk in padded_chunks(queues)
        for row in connection.execute(_UNCOUNTED, {"b_queues": chunk})
    )
    _count(connection, spelling, [_use(text_of(row.queue), row) for row in found])


def _use(queue: str, row: AnyRow) -> Mapping[str, Any]:
    return {
        "b_key": QUEUE_KEY + queue,
        "b_seq": row.seq,
        "b_stage": IN_QUEUE,
        "b_rank": -number_of(row.priority),
        "b_lane": NO_LANE,
    }


def _count(connection: Connection, spelling: Spelling, uses: list[Mapping[str, Any]]) -> None:
    # One that was rescued since it was counted last, and claimed again, has its row.
    if uses:
        spelling.insert_missing(connection, limit_use, uses)
