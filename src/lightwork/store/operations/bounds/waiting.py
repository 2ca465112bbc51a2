"""Waiting: the jobs that wait for room under a limit, and which of them are let go; see limits.py.

Not those of queues that are paused: nobody would take them, and those behind them would wait for
nothing. A chore lets them go when their queue is resumed.
"""

from typing import Final

from sqlalchemy import Connection, String, bindparam, exists, select, update

from lightwork.lifecycle import Unblocked
from lightwork.model import State
from lightwork.store.sql.in_lists import padded_chunks
from lightwork.store.sql.moves import move
from lightwork.store.sql.spelling import Spelling
from lightwork.store.sql.states import AMONG
from lightwork.store.tables.jobs import blocked, job
from lightwork.store.tables.limits import FREE, HELD, WAITS, limit_use
from lightwork.store.tables.queues import queue

# Jobs of a key that a claim moves out of the way at a time, and that a chore lets go.
MOVED_MOST: Final = 500
USED_BY: Final = limit_use.c.key == bindparam("b_key", type_=String)
SET_STAGE: Final = (
    update(limit_use)
    .where(limit_use.c.seq == bindparam("b_seq"), limit_use.c.stage != HELD)
    .values(stage=bindparam("b_stage"))
)
_IS_ANY_PAUSED: Final = select(exists(select(queue.c.name)))
_WAITING_OF: Final = (
    select(limit_use.c.seq)
    .where(USED_BY, limit_use.c.stage == WAITS)
    .order_by(limit_use.c.rank, limit_use.c.seq)
    .limit(bindparam("b_limit"))
)
_WAITING_OF_OPEN: Final = _WAITING_OF.join(job, job.c.seq == limit_use.c.seq).where(
    ~exists().where(queue.c.name == job.c.queue)
)
_LOCK_BLOCKED: Final = (
    select(blocked.c.seq, blocked.c.attempt)
    .where(blocked.c.seq.in_(AMONG), blocked.c.pending <= 0)
    .order_by(blocked.c.seq)
    .with_for_update(skip_locked=True)
)
_UNBLOCK: Final = move(State.BLOCKED, Unblocked)


def let_go(connection: Connection, spelling: Spelling, key: str, count: int) -> int:
    """Make as many jobs ready as there is room for, the first in the order of their lanes."""
    if count < 1:
        return 0
    # The look at the queue of each that waits costs something: only where it can matter.
    found = _WAITING_OF_OPEN if connection.scalar(_IS_ANY_PAUSED) else _WAITING_OF
    seqs = connection.scalars(found, {"b_key": key, "b_limit": min(count, MOVED_MOST)}).all()
    keys = [
        {"b_seq": row.seq, "b_number": row.attempt}
        for chunk in padded_chunks(sorted(seqs))
        for row in connection.execute(_LOCK_BLOCKED, {"b_seqs": chunk})
    ]
    if keys:
        spelling.change_each(connection, _UNBLOCK, keys)
        changes = [{"b_seq": one["b_seq"], "b_stage": FREE} for one in keys]
        spelling.execute_many(connection, SET_STAGE, changes)
    return len(keys)
