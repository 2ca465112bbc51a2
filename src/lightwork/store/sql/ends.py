"""Statements about running attempts: their ends, and what is told of them before.

Each names seq, number and worker of the attempt; the worker is compared null-safely, see
moves.guard. A refused one changes nothing.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Integer,
    Select,
    String,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.sql.elements import ColumnElement

from lightwork.lifecycle import (
    AttemptEnd,
    Cancelled,
    Failed,
    Forfeited,
    Lost,
    Quarantined,
    Released,
    Retried,
    Snoozed,
    Succeeded,
)
from lightwork.model import State
from lightwork.store.sql.moves import WORKER, Move, guard, move, one_more
from lightwork.store.sql.states import AMONG, raw
from lightwork.store.tables.clock_sql import NOW
from lightwork.store.tables.jobs import attempt, job, running
from lightwork.store.tables.types import Blob, LongText
from lightwork.store.tables.workers import worker

OURS: Final = guard(State.RUNNING)
_ERROR: Final[Mapping[str, Any]] = {
    "error_type": bindparam("b_error_type", type_=String),
    "error_text": bindparam("b_error_text", type_=String),
    "traceback": bindparam("b_traceback", type_=LongText),
}
_CHILD: Final[Mapping[str, Any]] = {
    "signal": bindparam("b_signal", type_=Integer),
    "peak_memory": bindparam("b_peak_memory", type_=BigInteger),
}
_FAILURE: Final = {"failures": one_more(running.c.failures)}
_CRASH: Final = {"crashes": one_more(running.c.crashes)}
_LOSS: Final = {"losses": one_more(running.c.losses)}
_FINISHED: Final = {"finished_at": NOW}
_DELAYED: Final = {"due_at": NOW + bindparam("b_delay", type_=BigInteger)}


def _end(event: type[AttemptEnd], *changes: Mapping[str, Any]) -> Move:
    values = {name: value for change in changes for name, value in change.items()}
    return move(State.RUNNING, event, **values)


END: Final[Mapping[type[AttemptEnd], Move]] = {
    Succeeded: _end(Succeeded, _FINISHED, {"result": bindparam("b_result", type_=Blob)}),
    Failed: _end(Failed, _FINISHED, _FAILURE, _ERROR),
    Quarantined: _end(Quarantined, _FINISHED, _CRASH, _ERROR),
    Cancelled: _end(Cancelled, _FINISHED),
    Retried: _end(Retried, _FAILURE, _DELAYED),
    Snoozed: _end(Snoozed, _DELAYED),
    Lost: _end(Lost, _CRASH),
    Forfeited: _end(Forfeited, _LOSS),
    Released: _end(Released),
}
# Before the end itself, which takes the row away.
KEEP_ATTEMPT: Final = insert(attempt).from_select(
    list(attempt.c.keys()),
    select(
        running.c.seq,
        running.c.attempt,
        running.c.worker,
        func.coalesce(running.c.started_at, NOW),
        NOW,
        bindparam("b_outcome", type_=String),
        *_ERROR.values(),
        *_CHILD.values(),
    ).where(*OURS),
)
LOCK_RUNNING: Final = (
    select(running.c.seq).where(running.c.seq.in_(AMONG)).order_by(running.c.seq).with_for_update()
)
NOTE_BEGUN: Final = update(running).where(*OURS).values(begun=1)
REPORT_PROGRESS: Final = (
    update(running)
    .where(*OURS)
    .values(
        progress_done=bindparam("b_done"),
        progress_total=bindparam("b_total"),
        progress_note=bindparam("b_note"),
    )
)
CANCEL_REQUESTS: Final = (
    select(job.c.id, running.c.attempt, running.c.cancel_requested)
    .join_from(running, job, job.c.seq == running.c.seq)
    .where(running.c.worker == WORKER, running.c.cancel_requested != 0)
)


def _running_with(condition: ColumnElement[bool]) -> Select[Any]:
    """Select running jobs, with what is needed to end their attempts."""
    return (
        select(
            running.c.seq,
            raw(job.c.id),
            running.c.attempt,
            job.c.policy,
            job.c.queue,
            job.c.task,
            job.c.ties,
            job.c.priority,
            running.c.crashes,
            running.c.begun,
            raw(running.c.worker),
            worker.c.name.label("worker_name"),
        )
        .join_from(running, job, job.c.seq == running.c.seq)
        .outerjoin(worker, worker.c.id == running.c.worker)
        .where(condition)
        .order_by(running.c.seq)
        .limit(bindparam("b_limit"))
    )


def _locked(found: Select[Any]) -> Select[Any]:
    return found.with_for_update(skip_locked=True, of=running)


# To look at: on a server a lock is a write, which wakes whoever waits for one.
SEEN_ABANDONED: Final = _running_with(or_(worker.c.id.is_(None), worker.c.state == "dead"))
ABANDONED: Final = _locked(SEEN_ABANDONED)
HELD_NOW: Final = _running_with(running.c.worker == WORKER)
HELD_BY: Final = _locked(HELD_NOW)
