"""Expiry: jobs that have not begun in time end as cancelled, with the reason.

The claim never takes one whose time is over, and a chore ends those that no worker knows.
`expiry` has a row for each that waits, and for a while for those that have begun in time. Whoever
has failed or crashed has begun; what was handed back unfinished has not.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, bindparam, exists, func, select, update

from lightwork.model import ErrorInfo, State
from lightwork.store.operations import ties
from lightwork.store.operations.jobs import cancel_waiting
from lightwork.store.sql.in_lists import padded_chunks
from lightwork.store.sql.jobs import STATES_BY_SEQ, WAITING
from lightwork.store.sql.rows import AnyRow
from lightwork.store.sql.spelling import Spelling
from lightwork.store.sql.states import AMONG
from lightwork.store.sql.upkeep import FAR
from lightwork.store.tables.clock_sql import NOW
from lightwork.store.tables.jobs import TABLE_OF, expiry, job

EXPIRED: Final = ErrorInfo(
    type="Expired", text="the job had not begun when its time (expires) was over"
)
# One that runs may be handed back, and is looked at again after so long.
_AGAIN_MS: Final = 10_000

_IS_OVER: Final = expiry.c.expires_at <= NOW
_IS_DUE: Final = select(exists().where(_IS_OVER))
NEXT_OVER_IN: Final = select(func.min(expiry.c.expires_at) - NOW).where(
    expiry.c.expires_at < NOW + FAR
)
_OVER: Final = (
    select(expiry.c.seq)
    .where(_IS_OVER)
    .order_by(expiry.c.expires_at)
    .limit(bindparam("b_limit"))
    .with_for_update(skip_locked=True)
)
# Locks skipped: whoever has one is about to claim, cancel or move the job.
_WAITING: Final[Mapping[State, Select[Any]]] = {
    state: select(
        table.c.seq,
        table.c.attempt,
        job.c.queue,
        (table.c.failures + table.c.crashes).label("begun"),
    )
    .join_from(table, job, job.c.seq == table.c.seq)
    .where(table.c.seq.in_(AMONG))
    .order_by(table.c.seq)
    .with_for_update(skip_locked=True, of=table)
    for state, table in TABLE_OF.items()
    if state in WAITING
}
_POSTPONE: Final = update(expiry).where(expiry.c.seq.in_(AMONG)).values(expires_at=NOW + _AGAIN_MS)


def is_expire_due(connection: Connection) -> bool:
    """Return whether the time of any job is over."""
    return bool(connection.scalar(_IS_DUE))


def expire(connection: Connection, spelling: Spelling, limit: int) -> int:
    """End jobs whose time is over; return how many were looked at."""
    over = list(connection.scalars(_OVER, {"b_limit": limit}))
    states = {
        row.seq: row.state
        for chunk in padded_chunks(over)
        for row in connection.execute(STATES_BY_SEQ, {"b_seqs": chunk})
    }
    done: list[int] = [seq for seq in over if seq not in states or states[seq].is_final]
    for state in WAITING:
        waiting = [
            row
            for chunk in padded_chunks(sorted(seq for seq in states if states[seq] == state))
            for row in connection.execute(_WAITING[state], {"b_seqs": chunk})
        ]
        cancel_waiting(
            connection, spelling, state, [row for row in waiting if not row.begun], EXPIRED
        )
        done += [row.seq for row in waiting]
    ties.forget_expiry(connection, done)
    for chunk in padded_chunks(sorted(set(over) - set(done))):
        connection.execute(_POSTPONE, {"b_seqs": chunk})
    return len(over)


def end_expired(connection: Connection, spelling: Spelling, rows: Sequence[AnyRow]) -> None:
    """End ready jobs whose time is over, which a claim has found and locked."""
    cancel_waiting(connection, spelling, State.READY, rows, EXPIRED)
