"""Statements about schedules."""

from typing import Any, Final

from sqlalchemy import BigInteger, bindparam, delete, exists, insert, null, or_, select, update
from sqlalchemy.sql.elements import BindParameter

from lightwork.store.sql.upkeep import FAR
from lightwork.store.tables.clock_sql import NOW
from lightwork.store.tables.jobs import job, ready
from lightwork.store.tables.schedules import schedule
from lightwork.store.tables.types import Id

# A job that lies so far ahead was made by a clock that has been put back since.
_AHEAD_MS: Final = 60_000
_IS_DUE: Final = or_(
    schedule.c.next_at <= NOW, schedule.c.last_at.between(NOW + _AHEAD_MS, NOW + 100 * FAR)
)
_NAME: Final[BindParameter[str]] = bindparam("b_name")
_NEXT_AT: Final = bindparam("b_next_at", type_=BigInteger)
_LAST_AT: Final = bindparam("b_last_at", type_=BigInteger)
# As it was read: of two who have read the same only the first changes anything.
_AS_READ: Final = (
    schedule.c.name == _NAME,
    schedule.c.next_at.is_not_distinct_from(bindparam("b_seen", type_=BigInteger)),
)

TIME: Final = select(NOW)
ALL: Final = select(schedule, NOW.label("now")).order_by(schedule.c.name)
ONE: Final = select(schedule, NOW.label("now")).where(schedule.c.name == _NAME)
LOCK_ONE: Final = ONE.with_for_update()
IS_ONE_DUE: Final = select(exists().where(schedule.c.paused_at.is_(None), _IS_DUE))
# By name: whoever locks several does so in one order. What somebody else has locked is his.
DUE: Final = (
    select(schedule, NOW.label("now"))
    .where(schedule.c.paused_at.is_(None), _IS_DUE, schedule.c.name > bindparam("b_after"))
    .order_by(schedule.c.name)
    .limit(bindparam("b_limit"))
    .with_for_update(skip_locked=True)
)
_DECLARED: Final[dict[str, BindParameter[Any]]] = {
    name: bindparam(f"b_{name}") for name in ("task", "spec", "tz", "catch_up", "policy", "payload")
}
INSERT: Final = insert(schedule).values(
    name=_NAME, origin=bindparam("b_origin"), next_at=_NEXT_AT, created_at=NOW, **_DECLARED
)
CHANGE: Final = update(schedule).where(*_AS_READ).values(next_at=_NEXT_AT, **_DECLARED)
MOVE_ON: Final = (
    update(schedule)
    .where(*_AS_READ, schedule.c.paused_at.is_(None))
    .values(next_at=_NEXT_AT, last_at=_LAST_AT)
)
MOVE_ON_WITH_JOB: Final = MOVE_ON.values(last_job=bindparam("b_last_job", type_=Id))
NOTE_RUN: Final = (
    update(schedule)
    .where(schedule.c.name == _NAME)
    .values(last_at=NOW, last_job=bindparam("b_last_job", type_=Id))
)
PAUSE: Final = (
    update(schedule)
    .where(schedule.c.name == _NAME, schedule.c.paused_at.is_(None))
    .values(paused_at=NOW, next_at=null())
)
RESUME: Final = (
    update(schedule)
    .where(schedule.c.name == _NAME, schedule.c.paused_at.is_not(None))
    .values(paused_at=null(), next_at=_NEXT_AT)
)
REMOVE: Final = delete(schedule).where(schedule.c.name == _NAME)
# Shown with the job, and by how much it is late.
MARK_DUE: Final = (
    update(ready)
    .where(
        ready.c.seq
        == select(job.c.seq).where(job.c.id == bindparam("b_id", type_=Id)).scalar_subquery()
    )
    .values(due_at=bindparam("b_due_at", type_=BigInteger))
)
