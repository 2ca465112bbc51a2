"""Statements of upkeep: promote and prune, and the tally of finished jobs."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Select,
    bindparam,
    cast,
    delete,
    exists,
    func,
    insert,
    select,
    union_all,
    update,
)
from sqlalchemy.sql.elements import BindParameter

from lightwork.lifecycle import Promoted
from lightwork.model import State
from lightwork.store.sql.dependencies import is_needed
from lightwork.store.sql.moves import move
from lightwork.store.sql.states import AMONG, FINALS, word
from lightwork.store.tables.clock_sql import NOW
from lightwork.store.tables.jobs import attempt, job, outcome, ready, running, scheduled
from lightwork.store.tables.schedules import schedule
from lightwork.store.tables.workers import tally, tally_delta, worker

DUE: Final = (
    select(scheduled.c.seq, scheduled.c.attempt)
    .where(scheduled.c.due_at <= NOW)
    .order_by(scheduled.c.due_at)
    .limit(bindparam("b_limit"))
    .with_for_update(skip_locked=True)
)
# An instant before which none is due: else the server would walk over the dead rows of all that were.
_IS_SINCE: Final = scheduled.c.due_at >= bindparam("b_since", type_=BigInteger)
DUE_SINCE: Final = DUE.where(_IS_SINCE)
PLACES: Final = select(ready.c.seq, ready.c.queue, ready.c.task, ready.c.rank).where(
    ready.c.seq.in_(AMONG)
)
PROMOTE: Final = move(State.SCHEDULED, Promoted)
# Ten years. What lies beyond is damage: in SQLite text and bytes are greater than any number.
FAR: Final = 10 * 365 * 86_400_000
NEXT_DUE_IN: Final = select(func.min(scheduled.c.due_at) - NOW).where(
    scheduled.c.due_at < NOW + 100 * FAR
)
NEXT_DUE_IN_SINCE: Final = NEXT_DUE_IN.where(_IS_SINCE)
NEXT_RUN_IN: Final = select(func.min(schedule.c.next_at) - NOW).where(
    schedule.c.next_at < NOW + 100 * FAR
)
_AGE: Final = bindparam("b_age", type_=BigInteger)
# State by state, oldest first, as the index has them: without an order PostgreSQL takes it that
# some of the first rows will do, and reads all that there are when none is old enough.
# To look at, without a lock; as what is ready to be rescued.
SEEN_PRUNABLE: Final[Mapping[State, Select[Any]]] = {
    state: select(outcome.c.seq, outcome.c.attempt, job.c.queue, outcome.c.state)
    .join_from(outcome, job, job.c.seq == outcome.c.seq)
    .where(
        outcome.c.state == word(state),
        outcome.c.finished_at < NOW - _AGE,
        ~is_needed(outcome.c.seq),
    )
    .order_by(outcome.c.finished_at)
    .limit(bindparam("b_limit"))
    for state in FINALS
}
PRUNABLE: Final[Mapping[State, Select[Any]]] = {
    state: seen.with_for_update(skip_locked=True, of=outcome)
    for state, seen in SEEN_PRUNABLE.items()
}
_SEQ: Final[BindParameter[int]] = bindparam("b_seq")
DELETE_OUTCOME: Final = delete(outcome).where(
    outcome.c.seq == _SEQ,
    outcome.c.attempt == bindparam("b_number"),
    outcome.c.state == bindparam("b_state"),
)
DELETE_JOB: Final = delete(job).where(job.c.seq == _SEQ)
DELETE_ATTEMPTS: Final = delete(attempt).where(attempt.c.seq == _SEQ)
_IS_LONG_DEAD: Final = (
    worker.c.state == "dead",
    worker.c.heartbeat_at < NOW - _AGE,
    ~exists().where(running.c.worker == worker.c.id),
)
SEEN_WORKERS: Final = select(worker.c.state).where(*_IS_LONG_DEAD).limit(1)
DELETE_WORKERS: Final = delete(worker).where(*_IS_LONG_DEAD)

# Tally.

ADD_TO_TALLY: Final = (
    update(tally)
    .where(tally.c.queue == bindparam("b_queue"), tally.c.state == bindparam("b_state"))
    .values(jobs=tally.c.jobs + bindparam("b_more"))
)
START_TALLY: Final = insert(tally).values(
    queue=bindparam("b_queue"), state=bindparam("b_state"), jobs=bindparam("b_more")
)
NOTE_FOR_TALLY: Final = insert(tally_delta).values(
    queue=bindparam("b_queue"), state=bindparam("b_state"), jobs=bindparam("b_more")
)
# What is to be folded in; whoever comes second takes what is left.
NOTED: Final = (
    select(tally_delta.c.number, tally_delta.c.queue, tally_delta.c.state, tally_delta.c.jobs)
    .order_by(tally_delta.c.number)
    .limit(bindparam("b_limit"))
    .with_for_update(skip_locked=True)
)
IS_NOTED: Final = select(tally_delta.c.number).limit(1)
DELETE_NOTE: Final = delete(tally_delta).where(tally_delta.c.number == bindparam("b_number"))
_ADDED: Final = union_all(
    *(select(table.c.queue, table.c.state, table.c.jobs) for table in (tally, tally_delta))
).subquery()
# The tally, with what is not folded in yet.
TALLY: Final = select(
    _ADDED.c.queue, _ADDED.c.state, cast(func.sum(_ADDED.c.jobs), BigInteger).label("jobs")
).group_by(_ADDED.c.queue, _ADDED.c.state)
EMPTY_TALLY: Final = (delete(tally_delta), delete(tally))
FINISHED: Final = (
    select(job.c.queue, outcome.c.state, func.count())
    .join_from(outcome, job, job.c.seq == outcome.c.seq)
    .where(outcome.c.state.in_(FINALS))
    .group_by(job.c.queue, outcome.c.state)
)
FILL_TALLY: Final = insert(tally).from_select(["queue", "state", "jobs"], FINISHED)
