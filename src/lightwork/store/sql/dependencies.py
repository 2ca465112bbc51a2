"""Statements about what jobs wait for; operations/dependencies.py says what they are for."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Integer,
    Select,
    String,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.sql.elements import BindParameter, ColumnElement

from lightwork.lifecycle import Delayed, Failed, Reblocked, Unblocked
from lightwork.model import State
from lightwork.store.sql.jobs import LOCK, RETRIABLE
from lightwork.store.sql.moves import Move, move
from lightwork.store.sql.states import AMONG, STATE, WHOLE, ZERO
from lightwork.store.tables.clock_sql import NOW
from lightwork.store.tables.dependencies import dependency, ended_parent
from lightwork.store.tables.jobs import STATE_TABLES, blocked, job, outcome
from lightwork.store.tables.limits import WAITS, limit_use
from lightwork.store.tables.types import Id, LongText

_SEQ: Final[BindParameter[int]] = bindparam("b_seq", type_=BigInteger)
_PARENT: Final[BindParameter[int]] = bindparam("b_parent", type_=BigInteger)
_CHILD: Final[BindParameter[int]] = bindparam("b_child", type_=BigInteger)
_IS_OPEN: Final = dependency.c.is_over == 0

# Submit.

# Shared: many may be submitted after the same job at once. Whoever moves it waits for them.
LOCK_SHARED: Final[Mapping[Table, Select[Any]]] = {
    table: select(table.c.seq, table.c.attempt)
    .where(table.c.seq.in_(AMONG))
    .order_by(table.c.seq)
    .with_for_update(read=True)
    for table in STATE_TABLES
}
# Not VALUES: a dialect may give all rows in one statement.
DEPEND: Final = insert(dependency).from_select(
    ["parent", "child", "needs_success", "is_over"],
    select(
        _PARENT,
        _CHILD,
        bindparam("b_needs_success", type_=Integer),
        bindparam("b_is_over", type_=Integer),
    ),
)
BLOCK: Final = insert(blocked).from_select(
    ["seq", "due_at", "pending"],
    select(
        job.c.seq,
        func.coalesce(
            bindparam("b_due_at", type_=BigInteger),
            job.c.created_at + bindparam("b_delay", type_=BigInteger),
        ),
        bindparam("b_pending", type_=Integer),
    ).where(job.c.seq == _SEQ),
)

# The end of a job.

# In the order of the key, so that whoever stops knows where. Children that are above `b_told` only:
# it is 0 but for a single parent, some of whose children were told before.
TO_BE_TOLD: Final = (
    select(dependency.c.parent, dependency.c.child, dependency.c.needs_success, outcome.c.state)
    .join_from(dependency, outcome, outcome.c.seq == dependency.c.parent)
    .where(dependency.c.parent.in_(AMONG), dependency.c.child > bindparam("b_told"), _IS_OPEN)
    .order_by(dependency.c.parent, dependency.c.child)
    .limit(bindparam("b_limit"))
)
LOCK_BLOCKED: Final = (
    select(blocked.c.seq, blocked.c.attempt, blocked.c.pending, blocked.c.due_at)
    .where(blocked.c.seq.in_(AMONG))
    .order_by(blocked.c.seq)
    .with_for_update()
)
_EDGE: Final = (dependency.c.parent == _PARENT, dependency.c.child == _CHILD)
TELL: Final = update(dependency).where(*_EDGE, _IS_OPEN).values(is_over=1)
COUNT_DOWN: Final = (
    update(blocked)
    .where(blocked.c.seq == _SEQ, blocked.c.attempt == bindparam("b_number"))
    .values(pending=blocked.c.pending - bindparam("b_less", type_=Integer))
)
UNBLOCK: Final = move(State.BLOCKED, Unblocked)
DELAY: Final = move(State.BLOCKED, Delayed)
FAIL: Final = move(
    State.BLOCKED,
    Failed,
    finished_at=NOW,
    error_type=bindparam("b_error_type", type_=String),
    error_text=bindparam("b_error_text", type_=String),
    traceback=bindparam("b_traceback", type_=LongText),
)
QUEUES: Final = select(job.c.seq, job.c.queue).where(job.c.seq.in_(AMONG))
ENDS: Final = (
    select(
        job.c.seq,
        job.c.id,
        job.c.task,
        outcome.c.state,
        outcome.c.error_type,
        outcome.c.error_text,
    )
    .join_from(job, outcome, outcome.c.seq == job.c.seq)
    .where(job.c.seq.in_(AMONG))
)

# Those with too many children for one transaction.

LEAVE: Final = insert(ended_parent).from_select(
    ["seq", "told"], select(_SEQ, bindparam("b_told", type_=BigInteger))
)
TAKE_LEFT: Final = delete(ended_parent).where(ended_parent.c.seq == _SEQ)
LOCK_ENDED: Final = LOCK[outcome]
IS_ONE_LEFT: Final = select(ended_parent.c.seq).limit(1)
LEFT: Final = (
    select(ended_parent.c.seq, ended_parent.c.told)
    .order_by(ended_parent.c.seq)
    .limit(bindparam("b_limit"))
    .with_for_update(skip_locked=True)
)

# Retry.

PARENTS: Final = (
    select(dependency.c.child, dependency.c.parent, dependency.c.needs_success, job.c.id)
    .join_from(dependency, job, job.c.seq == dependency.c.parent)
    .where(dependency.c.child.in_(AMONG))
    .order_by(dependency.c.child, dependency.c.parent)
)
REOPEN: Final = update(dependency).where(*_EDGE).values(is_over=0)
REBLOCK: Final[Mapping[State, Move]] = {
    state: move(
        state,
        Reblocked,
        failures=ZERO,
        crashes=ZERO,
        losses=ZERO,
        cancel_requested=ZERO,
        pending=bindparam("b_pending", type_=Integer),
    )
    for state in RETRIABLE
}

# Look.

_RELATIVES: Final = {
    dependency.c.parent: dependency.c.child,
    dependency.c.child: dependency.c.parent,
}
RELATIVES: Final[Mapping[str, Select[Any]]] = {
    asked.name: select(asked)
    .join_from(dependency, job, job.c.seq == own)
    .where(job.c.id == bindparam("b_id", type_=Id))
    .order_by(asked)
    for asked, own in _RELATIVES.items()
}
RELATIVE: Final = (
    select(job.c.id, job.c.task, STATE)
    .select_from(WHOLE)
    .where(job.c.seq.in_(AMONG))
    .order_by(job.c.seq)
)

# Prune and check.

_end_of_child: Final = outcome.alias("end_of_child")


def is_needed(parent: ColumnElement[int]) -> ColumnElement[bool]:
    """Return whether a job that was submitted after this one is unfinished."""
    has_ended = exists().where(_end_of_child.c.seq == dependency.c.child)
    return exists().where(dependency.c.parent == parent, ~has_ended)


NEEDED: Final = select(job.c.seq).where(job.c.seq.in_(AMONG), is_needed(job.c.seq))
FORGET: Final = (
    delete(dependency).where(dependency.c.parent.in_(AMONG)),
    delete(dependency).where(dependency.c.child.in_(AMONG)),
)
_OPEN_OF_CHILD: Final = (
    select(func.count())
    .select_from(dependency)
    .where(dependency.c.child == blocked.c.seq, _IS_OPEN)
    .scalar_subquery()
)
_IS_GONE: Final = ~exists().where(job.c.seq == dependency.c.parent)
_HAS_ENDED: Final = exists().where(outcome.c.seq == dependency.c.parent)
_IS_LEFT: Final = exists().where(ended_parent.c.seq == dependency.c.parent)
_IS_UNTOLD: Final = and_(_IS_OPEN, or_(_IS_GONE, _HAS_ENDED), ~_IS_LEFT)
IS_MISCOUNTED: Final = blocked.c.pending != _OPEN_OF_CHILD
IS_FORGOTTEN: Final = exists().where(dependency.c.child == blocked.c.seq, _IS_UNTOLD)
# A job may also be blocked until a limit lets it run.
WAITS_FOR_NOTHING: Final = and_(
    blocked.c.pending <= 0,
    ~exists().where(limit_use.c.seq == blocked.c.seq, limit_use.c.stage == WAITS),
)
HAS_NO_CHILD: Final = ~exists().where(job.c.seq == dependency.c.child)
# Repair.
DELETE_STRAYS: Final = delete(dependency).where(HAS_NO_CHILD)
UNTOLD: Final = select(dependency.c.parent).where(_IS_UNTOLD, ~_IS_GONE).distinct()
WITHOUT_PARENT: Final = select(dependency.c.child).where(_IS_OPEN, _IS_GONE).distinct()
RECOUNT: Final = update(blocked).where(IS_MISCOUNTED).values(pending=_OPEN_OF_CHILD)
FREE: Final = select(blocked.c.seq).where(WAITS_FOR_NOTHING)
