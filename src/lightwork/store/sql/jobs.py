"""Statements about jobs, as their submitter says them: submit, cancel, retry, outcomes.

Like those of its neighbours they are constants, so that SQLAlchemy compiles each once
and drivers prepare it once. Parameters are named `b_*`, because in an UPDATE the bare
names are columns. What dialects spell differently says spelling.py.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Select,
    String,
    Table,
    bindparam,
    func,
    insert,
    null,
    or_,
    select,
    update,
)

from lightwork.lifecycle import Cancelled, Resubmitted, states_before
from lightwork.model import State
from lightwork.store.sql.moves import Move, move
from lightwork.store.sql.states import AMONG, COLUMNS, FINALS, STATE, WHOLE, ZERO, raw, word
from lightwork.store.tables.clock_sql import NOW
from lightwork.store.tables.jobs import (
    STATE_TABLES,
    TABLE_OF,
    job,
    outcome,
    ready,
    running,
    scheduled,
)
from lightwork.store.tables.types import Id

BY_ID: Final = job.c.id.in_(bindparam("b_ids", expanding=True, type_=Id))
WAITING: Final = tuple(state for state in states_before(Cancelled) if state != State.RUNNING)
RETRIABLE: Final = states_before(Resubmitted)

# Submit. What an INSERT gives a new job; how known ids are skipped is spelled per dialect.

NEW_JOB: Final[Mapping[str, Any]] = {
    "id": bindparam("b_id", type_=Id),
    "task": bindparam("b_task"),
    "queue": bindparam("b_queue"),
    "priority": bindparam("b_priority"),
    "idempotent": bindparam("b_idempotent"),
    "policy": bindparam("b_policy"),
    "created_at": NOW,
    "payload": bindparam("b_payload"),
    "ties": bindparam("b_ties"),
    "limits": bindparam("b_limits"),
    "unique_key": bindparam("b_unique_key"),
    "headers": bindparam("b_headers"),
}
_NEW: Final = job.c.id == bindparam("b_id", type_=Id)
NEW_READY: Final = ("seq", "queue", "task", "rank")
READY_OF: Final = select(job.c.seq, job.c.queue, job.c.task, -job.c.priority)
MAKE_READY: Final = insert(ready).from_select(NEW_READY, READY_OF.where(_NEW))
SCHEDULE: Final = insert(scheduled).from_select(
    ["seq", "due_at"],
    select(
        job.c.seq,
        # An instant that is given, or so long after now.
        func.coalesce(
            bindparam("b_due_at", type_=BigInteger),
            job.c.created_at + bindparam("b_delay", type_=BigInteger),
        ),
    ).where(_NEW),
)

# Look.

STATE_OF: Final = select(job.c.id, STATE).select_from(WHOLE)
STATES: Final = STATE_OF.where(BY_ID)
# Locked: what was known to an INSERT, an older snapshot of the transaction may not show.
CALLS_NOW: Final = (
    select(job.c.id, job.c.task, job.c.payload).where(BY_ID).with_for_update(read=True)
)
STATES_BY_SEQ: Final = select(job.c.seq, STATE).select_from(WHOLE).where(job.c.seq.in_(AMONG))
PROGRESS_OF: Final = select(
    job.c.id, *(COLUMNS[f"progress_{part}"] for part in ("done", "total", "note"))
).select_from(WHOLE)
_END: Final = (
    outcome.c.state,
    outcome.c.attempt,
    outcome.c.result,
    outcome.c.error_type,
    outcome.c.error_text,
    outcome.c.traceback,
)
# As the driver gives it: of rows.outcome_row.
END_OF: Final = (
    select(*map(raw, (job.c.id, *_END)))
    .join_from(job, outcome, outcome.c.seq == job.c.seq)
    .where(or_(*(outcome.c.state == word(state) for state in FINALS)))
)
OUTCOMES: Final = END_OF.where(BY_ID)
SEQ_OF: Final = select(job.c.id, job.c.seq)
SEQS: Final = SEQ_OF.where(BY_ID)
# Of many: for a join with hundreds of ids a planner may rather read every outcome that there is.
OUTCOMES_BY_SEQ: Final = select(outcome.c.seq, *map(raw, _END)).where(outcome.c.seq.in_(AMONG))
RESULT_SIZES: Final = (
    select(func.length(outcome.c.result).label("size"))
    .join_from(job, outcome, outcome.c.seq == job.c.seq)
    .where(BY_ID)
)

# Cancel and retry. What is to be changed is found by its id, then locked in the table where it
# is, ordered by seq as all locks are: of two who lock in opposite order one would fail.

FIND: Final = (
    select(job.c.id, job.c.seq, COLUMNS["attempt"], STATE, job.c.queue)
    .select_from(WHOLE)
    .where(BY_ID)
)
LOCK: Final[Mapping[Table, Select[Any]]] = {
    table: select(table.c.seq, table.c.attempt)
    .where(table.c.seq.in_(AMONG))
    .order_by(table.c.seq)
    .with_for_update()
    for table in STATE_TABLES
}
CANCEL: Final[Mapping[State, Move]] = {
    state: move(
        state,
        Cancelled,
        finished_at=NOW,
        # Why, where nobody has asked for it by the job's id.
        error_type=bindparam("b_error_type", type_=String),
        error_text=bindparam("b_error_text", type_=String),
    )
    for state in WAITING
}
REQUEST_CANCEL: Final = (
    update(running)
    .where(running.c.seq == bindparam("b_seq"), running.c.attempt == bindparam("b_number"))
    .values(cancel_requested=bindparam("b_how"))
)
# What waits again although somebody asked for its end while it ran.
UNWANTED: Final[Mapping[State, Select[Any]]] = {
    state: select(table.c.seq, table.c.attempt, job.c.queue)
    .join_from(table, job, job.c.seq == table.c.seq)
    .where(table.c.seq.in_(AMONG), table.c.cancel_requested != 0)
    .with_for_update(of=table)
    for state, table in TABLE_OF.items()
    if state in WAITING
}
RESUBMIT: Final[Mapping[State, Move]] = {
    state: move(
        state,
        Resubmitted,
        failures=ZERO,
        crashes=ZERO,
        losses=ZERO,
        cancel_requested=ZERO,
        due_at=null(),
    )
    for state in RETRIABLE
}
