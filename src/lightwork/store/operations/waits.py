"""Waits: which jobs a running job must not wait for, because they cannot begin before it has ended.

Read by whoever has waited for a while. The rows say so in three ways:

    it was submitted after the job that waits         a row of `dependency` that is not over
    that job alone holds all places of its limit      every HELD row of the key is of that job
    one job at a time runs in the queue of both       the limit of the queue says so
"""

import uuid
from collections.abc import Iterable
from typing import Final

from sqlalchemy import BigInteger, Connection, String, bindparam, exists, select

from lightwork.store.operations.bounds import queue_limits
from lightwork.store.sql.in_lists import padded_chunks
from lightwork.store.sql.rows import text_of
from lightwork.store.tables.dependencies import dependency
from lightwork.store.tables.jobs import job, outcome, running
from lightwork.store.tables.limits import HELD, QUEUE_KEY, limit_slot, limit_use
from lightwork.store.tables.types import Id

_IDS: Final = job.c.id.in_(bindparam("b_ids", expanding=True, type_=Id))
# Only an attempt that runs waits for anything.
_WAITER: Final = (
    select(job.c.seq, job.c.queue)
    .join(running, running.c.seq == job.c.seq)
    .where(job.c.id == bindparam("b_waiter", type_=Id))
)
_SEQ: Final = bindparam("b_seq", type_=BigInteger)
_AFTER: Final = (
    select(job.c.id)
    .join(dependency, dependency.c.child == job.c.seq)
    .where(_IDS, dependency.c.parent == _SEQ, dependency.c.is_over == 0)
)
_held = limit_use.alias("held")
_HOLDERS: Final = select(_held.c.seq).where(_held.c.key == limit_slot.c.key, _held.c.stage == HELD)
_LIMITED: Final = (
    select(job.c.id, limit_slot.c.key)
    .join(limit_use, limit_use.c.seq == job.c.seq)
    .join(limit_slot, limit_slot.c.key == limit_use.c.key)
    .where(
        _IDS,
        limit_use.c.stage != HELD,
        limit_slot.c.cap > 0,
        limit_slot.c.used >= limit_slot.c.cap,
        exists(_HOLDERS.where(_held.c.seq == _SEQ)),
        ~exists(_HOLDERS.where(_held.c.seq != _SEQ)),
    )
)
# What runs already, or has ended, needs no place.
_IN_QUEUE: Final = select(job.c.id).where(
    _IDS,
    job.c.queue == bindparam("b_queue", type_=String),
    ~exists().where(running.c.seq == job.c.seq),
    ~exists().where(outcome.c.seq == job.c.seq),
)


def held_up(
    connection: Connection, waiter: uuid.UUID, job_ids: Iterable[uuid.UUID]
) -> dict[uuid.UUID, str]:
    """Return those of the jobs that cannot begin before `waiter` has ended.

    Each with the limit of which that job has all places, of a queue's limit "queue NAME"; "": it was
    submitted after that job.
    """
    row = connection.execute(_WAITER, {"b_waiter": waiter}).first()
    found: dict[uuid.UUID, str] = {}
    if row is None:
        return found
    queue = text_of(row.queue)
    is_alone = queue_limits.cap_of(connection, queue) == 1
    for chunk in padded_chunks(job_ids):
        values = {"b_ids": chunk, "b_seq": row.seq, "b_queue": queue}
        if is_alone:
            alone = connection.scalars(_IN_QUEUE, values)
            found |= dict.fromkeys(alone, f"{QUEUE_KEY}{queue}".strip())
        found |= {row.id: row.key for row in connection.execute(_LIMITED, values)}
        found |= dict.fromkeys(connection.scalars(_AFTER, values), "")
    return found
