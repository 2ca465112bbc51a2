"""Slots of limits, counted anew where they are not those of the jobs that run; see limits.py.

Every slot is taken and given back with its job, and so is the note that one is ready. So nothing here is
needed as long as only lightwork writes. What somebody else has deleted or damaged must not close a key for
ever, nor a lane.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, String, bindparam, delete, exists, func, select, update

from lightwork.store.sql.in_lists import padded_chunks
from lightwork.store.sql.states import AMONG
from lightwork.store.tables.clock_sql import NOW
from lightwork.store.tables.jobs import ready, running
from lightwork.store.tables.limits import FREE, HELD, limit_slot, limit_use

_UNUSED_MS: Final = 86_400_000

_BY_KEY: Final = limit_slot.c.key == bindparam("b_key", type_=String)
_USED_BY: Final = limit_use.c.key == bindparam("b_key", type_=String)
_HELD_NOW: Final = (
    select(func.count())
    .select_from(limit_use)
    .join(running, running.c.seq == limit_use.c.seq)
    .where(limit_use.c.key == limit_slot.c.key, limit_use.c.stage == HELD)
    .scalar_subquery()
)
_DRIFTED: Final = select(limit_slot.c.key).where(limit_slot.c.used != _HELD_NOW)
_LOCK: Final = select(limit_slot.c.key).where(_BY_KEY).with_for_update()
_LOST: Final = select(limit_use.c.seq).where(
    _USED_BY,
    limit_use.c.stage == HELD,
    ~exists().where(running.c.seq == limit_use.c.seq),
)
_COUNT_HELD: Final = select(func.count()).where(_USED_BY, limit_use.c.stage == HELD)
_SET_USED: Final = update(limit_slot).where(_BY_KEY).values(used=bindparam("b_used"))
_FORGET_LOST: Final = delete(limit_use).where(
    _USED_BY, limit_use.c.stage == HELD, limit_use.c.seq.in_(AMONG)
)
_IS_GONE: Final = (
    limit_use.c.stage == FREE,
    ~exists().where(ready.c.seq == limit_use.c.seq),
)
_GONE: Final = select(limit_use.c.seq).where(*_IS_GONE).limit(1000)
_FORGET_GONE: Final = delete(limit_use).where(*_IS_GONE, limit_use.c.seq.in_(AMONG))
_IS_UNUSED: Final = (
    limit_slot.c.used == 0,
    limit_slot.c.filled_at < NOW - _UNUSED_MS,
    ~exists().where(limit_use.c.key == limit_slot.c.key),
)
_IS_ANY_IDLE: Final = (select(exists().where(*_IS_UNUSED)), select(exists().where(*_IS_GONE)))
_UNUSED: Final = delete(limit_slot).where(*_IS_UNUSED)


def drifted(connection: Connection) -> list[str]:
    """Return the keys whose number of slots is not that of the jobs which run; reads all keys."""
    return list(connection.scalars(_DRIFTED))


def is_any_idle(connection: Connection) -> bool:
    """Return whether there are keys that nobody has used for a day, or notes of ready jobs that are gone."""
    return any(connection.scalar(one) for one in _IS_ANY_IDLE)


def problems(connection: Connection) -> list[str]:
    """Return what is wrong with the slots, a sentence each."""
    return [
        f"the slots of limit {key!r:.100} are not those of the jobs that run"
        for key in drifted(connection)
    ]


def repair(connection: Connection) -> list[str]:
    """Count slots anew that have drifted."""
    found = problems(connection)
    recount(connection, drifted(connection))
    return [f"{text}: put right" for text in found]


def recount(connection: Connection, keys: Iterable[str]) -> None:
    """Count the slots of keys anew, each locked; forget what is idle."""
    for key in sorted(keys):
        if connection.execute(_LOCK, {"b_key": key}).first() is None:
            continue
        lost = connection.scalars(_LOST, {"b_key": key}).all()
        for chunk in padded_chunks(lost):
            connection.execute(_FORGET_LOST, {"b_key": key, "b_seqs": chunk})
        used = connection.scalar(_COUNT_HELD, {"b_key": key})
        connection.execute(_SET_USED, {"b_key": key, "b_used": used})
    for chunk in padded_chunks(connection.scalars(_GONE).all()):
        connection.execute(_FORGET_GONE, {"b_seqs": chunk})
    connection.execute(_UNUSED)
