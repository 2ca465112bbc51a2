"""Statements: everything that is said to the database about jobs and attempts, built once.

A statement is a constant, so that SQLAlchemy compiles it once and drivers prepare
it once. Parameters are named `b_*`, because in an UPDATE the bare names are columns.

Guards. Every UPDATE and DELETE of a job names the state in which it is legal, and
where an attempt is concerned its number and worker; the caller looks at the row
count. Legal states come from lifecycle.TRANSITIONS, never from here:

    END[Succeeded]   UPDATE job SET state = 'succeeded' ...
                     WHERE seq = ? AND attempt = ? AND state = 'running' AND worker = ?

Plans. Each recurring statement is answered by one partial index of tables.py,
which is why states are written as literals; `test_sqlite.py` asks SQLite for the
plans. The claim looks at lanes only that it is given: jobs of others, a million of
them at the head of the queue, cost it nothing. It locks what it takes (`FOR UPDATE SKIP LOCKED`, which SQLite neither
has nor needs) inside a CTE, because PostgreSQL may otherwise run the LIMIT more
than once.

Dialects. This file serves those with UPDATE ... RETURNING. `insert_new` is the only
construct that is spelled per dialect.
"""

import functools
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CompoundSelect,
    Dialect,
    Insert,
    Integer,
    Select,
    String,
    Update,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal_column,
    not_,
    null,
    or_,
    select,
    type_coerce,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningUpdate
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import NullType

from lightwork.lifecycle import (
    AttemptEnd,
    Cancelled,
    Claimed,
    Event,
    Failed,
    Forfeited,
    Lost,
    Promoted,
    Quarantined,
    Released,
    Resubmitted,
    Retried,
    Succeeded,
    states_before,
    step,
)
from lightwork.model import FINAL_STATES, State
from lightwork.retry import SUSPECT_LOSSES
from lightwork.store.clock_sql import db_now
from lightwork.store.tables import Id, attempt, in_state, job, tally, worker

NOW: Final = db_now()
FINALS: Final = tuple(sorted(FINAL_STATES))
WAITING: Final = tuple(state for state in states_before(Cancelled) if state != State.RUNNING)

BY_ID: Final = job.c.id.in_(bindparam("b_ids", expanding=True, type_=Id))
# As the driver gives them: a damaged value must not stop the row from being dealt with,
# and a claim need not convert what it hands on unchanged.
RAW_ID: Final = type_coerce(job.c.id, NullType).label("id")
RAW_WORKER: Final = type_coerce(job.c.worker, NullType).label("worker")
RAW_WORKER_ID: Final = type_coerce(worker.c.id, NullType)
RAW_STATE: Final = type_coerce(job.c.state, NullType).label("state")
_RAW_PAYLOAD: Final = type_coerce(job.c.payload, NullType).label("payload")
_SEQ: Final = job.c.seq == bindparam("b_seq")
_NUMBER: Final = job.c.attempt == bindparam("b_number")
_WORKER: Final = bindparam("b_worker", type_=Id)


def _after(event: type[Event]) -> ColumnElement[str]:
    """Return the state after the event, wherever it is legal, as a literal."""
    (after,) = {step(before, event) for before in states_before(event)}
    return literal_column(f"'{after}'")


# Submit.


@functools.cache
def insert_new(dialect: str) -> Insert:
    """Return the INSERT that skips known ids."""
    new = {
        "id": bindparam("b_id", type_=Id),
        "task": bindparam("b_task"),
        "queue": bindparam("b_queue"),
        "priority": bindparam("b_priority"),
        "state": bindparam("b_state"),
        "payload": bindparam("b_payload"),
        "policy": bindparam("b_policy"),
        "created_at": NOW,
        # NULL where there is no delay.
        "due_at": NOW + bindparam("b_delay", type_=BigInteger),
        "idempotent": bindparam("b_idempotent"),
    }
    if dialect == "postgresql":
        return postgresql.insert(job).values(new).on_conflict_do_nothing(index_elements=["id"])
    return sqlite.insert(job).values(new).on_conflict_do_nothing(index_elements=["id"])


# Claim. A lane is a queue and a task; its ready jobs are a range of the index job_lane.

_QUEUE: Final = job.c.queue == bindparam("b_queue")
_READY: Final = in_state(*states_before(Claimed))
_NEXT_TASK: Final = select(func.min(job.c.task).label("task")).where(_READY, _QUEUE)


def _lanes() -> Select[Any]:
    """Select the tasks that have ready jobs in a queue: one seek each, however many jobs."""
    lane = _NEXT_TASK.cte("lane", recursive=True)
    following = _NEXT_TASK.where(job.c.task > lane.c.task).correlate(lane).scalar_subquery()
    lane = lane.union_all(select(following).where(lane.c.task.is_not(None)))
    return select(lane.c.task).where(lane.c.task.is_not(None))


LANES: Final = _lanes()


@functools.cache
def driver_lanes(dialect: Dialect) -> tuple[str, int]:
    """Return LANES as text for the driver, and how often it names the queue."""
    compiled = LANES.compile(dialect=dialect)
    return str(compiled), len(compiled.positiontup or ())


@functools.cache
def best_of(count: int) -> CompoundSelect[Any]:
    """Select what comes first among the ready jobs of so many lanes.

    The arms have no LIMIT of their own: SQLite and PostgreSQL merge the ranges of the
    index and stop at the last row that is wanted (64 lanes, 1000 rows: 1.2 ms; with
    limits, which SQLite sorts anew, 18 ms).
    """
    arms = [
        select(job.c.priority, job.c.seq).where(
            _READY, _QUEUE, job.c.task == bindparam(f"b_task{number}", type_=String)
        )
        for number in range(count)
    ]
    columns = arms[0].selected_columns
    return (
        union_all(*arms).order_by(columns.priority.desc(), columns.seq).limit(bindparam("b_limit"))
    )


WORKER_IS_LIVE: Final = exists().where(
    worker.c.id == _WORKER, worker.c.state == "up", worker.c.lease_until > NOW
)
# Only claimed into a free slot, and begun by the claim: see retry.py.
IS_SUSPECT: Final = or_(job.c.idempotent == 0, job.c.losses >= SUSPECT_LOSSES)
_CLAIMED: Final[Mapping[str, Any]] = {
    "state": _after(Claimed),
    "attempt": job.c.attempt + 1,
    "begun": case((IS_SUSPECT, 1), else_=0),
    "worker": _WORKER,
    "started_at": NOW,
    "cancel_requested": 0,
    "progress_done": 0,
    "progress_total": 0,
    "progress_note": "",
}
# In the order in which rows.attempt_of takes them.
_TAKEN: Final[tuple[ColumnElement[Any], ...]] = (
    job.c.seq,
    RAW_ID,
    job.c.attempt,
    job.c.task,
    _RAW_PAYLOAD,
    job.c.policy,
    job.c.queue,
    job.c.priority,
    job.c.failures,
    job.c.crashes,
)


def _claim(eligible: Select[Any]) -> ReturningUpdate[Any]:
    """Take the eligible jobs; whoever holds a lock on one has taken it."""
    locked = eligible.where(_READY, WORKER_IS_LIVE).with_for_update(skip_locked=True)
    seqs = locked.cte("eligible").c.seq
    # The rule of claims ahead stands here too: no lock is held since the look for suspects.
    may_begin = or_(bindparam("b_begins", type_=Integer) == 1, not_(IS_SUSPECT))
    return (
        update(job)
        .where(job.c.seq.in_(select(seqs)), _READY, may_begin)
        .values(_CLAIMED)
        .returning(*_TAKEN)
    )


# From one lane, which is the rule, in a single statement.
CLAIM: Final = _claim(
    select(job.c.seq)
    .where(_QUEUE, job.c.task == bindparam("b_task"))
    .order_by(job.c.priority.desc(), job.c.seq)
    .limit(bindparam("b_limit"))
)
# From several: those that best_of has chosen.
CLAIM_CHOSEN: Final = _claim(
    select(job.c.seq).where(job.c.seq.in_(bindparam("b_seqs", expanding=True)))
)
# Asked before a claim ahead, which must not pass a suspect by: that one would wait for
# ever for a slot that is free.
_next: Final = (
    select(case((IS_SUSPECT, 1), else_=0).label("is_suspect"))
    .where(_READY, _QUEUE, job.c.task == bindparam("b_task"))
    .order_by(job.c.priority.desc(), job.c.seq)
    .limit(bindparam("b_limit"))
    .subquery()
)
ANY_SUSPECT: Final = select(_next.c.is_suspect).where(_next.c.is_suspect == 1).limit(1)
SUSPECTS_AMONG: Final = select(job.c.seq).where(
    job.c.seq.in_(bindparam("b_seqs", expanding=True)), IS_SUSPECT
)

# End of an attempt. The worker is compared null-safely: rescue also ends the attempts
# of nobody, which only a damaged row has.

OURS: Final = (
    _SEQ,
    _NUMBER,
    in_state(State.RUNNING),
    job.c.worker.is_not_distinct_from(_WORKER),
)
_ERROR: Final[Mapping[str, Any]] = {
    "error_type": bindparam("b_error_type"),
    "error_text": bindparam("b_error_text"),
    "traceback": bindparam("b_traceback"),
}
_FAILURE: Final = {"failures": job.c.failures + 1}
_CRASH: Final = {"crashes": job.c.crashes + 1}
_LOSS: Final = {"losses": job.c.losses + 1}
_FINISHED: Final = {"finished_at": NOW}


def _end(event: type[AttemptEnd], *changes: Mapping[str, Any]) -> Update:
    values = {name: value for change in changes for name, value in change.items()}
    after: ColumnElement[str] = literal_column(f"'{step(State.RUNNING, event)}'")
    return update(job).where(*OURS).values(state=after, worker=null(), **values)


END: Final[Mapping[type[AttemptEnd], Update]] = {
    Succeeded: _end(Succeeded, _FINISHED, {"result": bindparam("b_result")}),
    Failed: _end(Failed, _FINISHED, _FAILURE, _ERROR),
    Quarantined: _end(Quarantined, _FINISHED, _CRASH, _ERROR),
    Cancelled: _end(Cancelled, _FINISHED),
    Retried: _end(Retried, _FAILURE, {"due_at": NOW + bindparam("b_delay", type_=BigInteger)}),
    Lost: _end(Lost, _CRASH),
    Forfeited: _end(Forfeited, _LOSS),
    Released: _end(Released),
}
KEEP_ATTEMPT: Final = insert(attempt).from_select(
    list(attempt.c.keys()),
    select(
        job.c.seq,
        job.c.attempt,
        _WORKER,
        func.coalesce(job.c.started_at, NOW),
        NOW,
        bindparam("b_outcome", type_=String),
        bindparam("b_error_type", type_=String),
        bindparam("b_error_text", type_=String),
        bindparam("b_traceback", type_=String),
    ).where(_SEQ),
)
NOTE_BEGUN: Final = update(job).where(*OURS).values(begun=1)
REPORT_PROGRESS: Final = (
    update(job)
    .where(*OURS)
    .values(
        progress_done=bindparam("b_done"),
        progress_total=bindparam("b_total"),
        progress_note=bindparam("b_note"),
    )
)
CANCEL_REQUESTS: Final = select(job.c.id, job.c.attempt, job.c.cancel_requested).where(
    in_state(State.RUNNING), job.c.worker == _WORKER, job.c.cancel_requested != 0
)

# Cancel and retry, by whoever submitted.

LOCK_BY_ID: Final = (
    select(job.c.id, job.c.seq, job.c.attempt, job.c.state, job.c.queue)
    .where(BY_ID)
    .with_for_update()
)
LOCK_UNWANTED: Final = (
    select(job.c.seq, job.c.attempt, job.c.queue)
    .where(
        job.c.seq.in_(bindparam("b_seqs", expanding=True)),
        in_state(*WAITING),
        job.c.cancel_requested != 0,
    )
    .with_for_update()
)
STATES_BY_SEQ: Final = select(job.c.seq, job.c.state).where(
    job.c.seq.in_(bindparam("b_seqs", expanding=True))
)
CANCEL_WAITING: Final = (
    update(job)
    .where(_SEQ, _NUMBER, in_state(*WAITING))
    .values(state=_after(Cancelled), finished_at=NOW)
)
REQUEST_CANCEL: Final = (
    update(job)
    .where(_SEQ, _NUMBER, in_state(State.RUNNING))
    .values(cancel_requested=bindparam("b_how"))
)
RESUBMIT: Final = (
    update(job)
    .where(_SEQ, _NUMBER, in_state(*states_before(Resubmitted)))
    .values(
        state=_after(Resubmitted),
        failures=0,
        crashes=0,
        losses=0,
        cancel_requested=0,
        due_at=null(),
        finished_at=null(),
        result=null(),
        error_type=null(),
        error_text=null(),
        traceback=null(),
    )
)

# Chores.

_due: Final = (
    select(job.c.seq)
    .where(in_state(*states_before(Promoted)), job.c.due_at <= NOW)
    .order_by(job.c.due_at)
    .limit(bindparam("b_limit"))
    .with_for_update(skip_locked=True)
    .cte("due")
)
PROMOTE: Final = (
    update(job)
    .where(job.c.seq.in_(select(_due.c.seq)), in_state(*states_before(Promoted)))
    .values(state=_after(Promoted))
    # Counted by what comes back: sqlite3 gives no row count for what starts with WITH.
    .returning(job.c.seq)
)
# Ten years. What lies beyond is damage: in SQLite text and bytes are greater than any number.
_FAR: Final = 10 * 365 * 86_400_000
NEXT_DUE_IN: Final = select(func.min(job.c.due_at) - NOW).where(
    in_state(State.SCHEDULED), job.c.due_at < NOW + 100 * _FAR
)
NOT_DEAD: Final = select(RAW_WORKER_ID).where(worker.c.state != "dead")
_IS_OVER: Final = or_(worker.c.lease_until < NOW, worker.c.lease_until > NOW + _FAR)
LEASES: Final = select(RAW_WORKER_ID, _IS_OVER.label("is_over")).where(worker.c.state != "dead")
# Of those that are known to live nobody ends the lease.
END_LEASES: Final = (
    update(worker)
    .where(
        worker.c.state != "dead",
        _IS_OVER,
        worker.c.id.not_in(bindparam("b_living", expanding=True, type_=Id)),
    )
    .values(state="dead")
)


def _running_with(condition: ColumnElement[bool]) -> Select[Any]:
    """Select running jobs, with what is needed to end their attempts."""
    return (
        select(
            job.c.seq,
            RAW_ID,
            job.c.attempt,
            job.c.policy,
            job.c.queue,
            job.c.priority,
            job.c.crashes,
            job.c.begun,
            RAW_WORKER,
            worker.c.name.label("worker_name"),
        )
        .join_from(job, worker, worker.c.id == job.c.worker, isouter=True)
        .where(in_state(State.RUNNING), condition)
        # The order of job_worker: by seq SQLite would walk the table, finished rows and all.
        .order_by(job.c.worker)
        .limit(bindparam("b_limit"))
        .with_for_update(skip_locked=True, of=job)
    )


ABANDONED: Final = _running_with(or_(worker.c.id.is_(None), worker.c.state == "dead"))
HELD_BY: Final = _running_with(job.c.worker == _WORKER)
PRUNABLE: Final = (
    select(job.c.seq, job.c.attempt, job.c.queue, job.c.state)
    .where(in_state(*FINALS), job.c.finished_at < NOW - bindparam("b_age", type_=BigInteger))
    .order_by(job.c.finished_at)
    .limit(bindparam("b_limit"))
    .with_for_update(skip_locked=True)
)
DELETE_JOB: Final = delete(job).where(_SEQ, _NUMBER, in_state(*FINALS))
DELETE_ATTEMPTS: Final = delete(attempt).where(attempt.c.seq == bindparam("b_seq"))
DELETE_WORKERS: Final = delete(worker).where(
    worker.c.state == "dead",
    worker.c.heartbeat_at < NOW - bindparam("b_age", type_=BigInteger),
    ~exists().where(and_(in_state(State.RUNNING), job.c.worker == worker.c.id)),
)

# Workers.

REGISTER: Final = insert(worker).values(
    id=bindparam("b_worker", type_=Id),
    name=bindparam("b_name"),
    host=bindparam("b_host"),
    pid=bindparam("b_pid"),
    slots=bindparam("b_slots"),
    queues=bindparam("b_queues"),
    tasks=bindparam("b_tasks"),
    state="up",
    started_at=NOW,
    heartbeat_at=NOW,
    lease_until=NOW + bindparam("b_lease", type_=BigInteger),
)
PUBLISH_TASKS: Final = (
    update(worker)
    .where(worker.c.id == _WORKER, worker.c.state != "dead")
    .values(tasks=bindparam("b_tasks"))
)
IS_KNOWN: Final = select(worker.c.id).where(worker.c.id == _WORKER)
# Of a worker whose file says that it lives (life.py): its lease is over when somebody says so.
RENEW_LIVING: Final = (
    update(worker)
    .where(worker.c.id == _WORKER, worker.c.state != "dead")
    .values(heartbeat_at=NOW, lease_until=NOW + bindparam("b_lease", type_=BigInteger))
)
RENEW: Final = RENEW_LIVING.where(worker.c.lease_until > NOW)
SIGN_OFF: Final = (
    update(worker).where(worker.c.id == _WORKER, worker.c.state != "dead").values(state="dead")
)

# Tally.

ADD_TO_TALLY: Final = (
    update(tally)
    .where(tally.c.queue == bindparam("b_queue"), tally.c.state == bindparam("b_state"))
    .values(jobs=tally.c.jobs + bindparam("b_more"))
)
START_TALLY: Final = insert(tally).values(
    queue=bindparam("b_queue"), state=bindparam("b_state"), jobs=bindparam("b_more")
)
EMPTY_TALLY: Final = delete(tally)
FILL_TALLY: Final = insert(tally).from_select(
    ["queue", "state", "jobs"],
    select(job.c.queue, job.c.state, func.count())
    .where(in_state(*FINALS))
    .group_by(job.c.queue, job.c.state),
)
