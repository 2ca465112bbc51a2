"""Looking: what people, dashboards and health checks read of a store.

Only reads. Listings leave payloads and results where they are; the summary counts
unfinished jobs through the partial indexes and takes finished ones from the tally.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Select,
    bindparam,
    case,
    func,
    or_,
    select,
    true,
    type_coerce,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import NullType

from lightwork.model import State
from lightwork.store import statements as sql
from lightwork.store.chunks import padded_chunks
from lightwork.store.rows import attempt_view, job_view, number_of, text_of, worker_view
from lightwork.store.tables import attempt, in_state, job, tally, worker
from lightwork.store.views import AttemptView, JobView, LaneView, Summary, WorkerView

_SHOWN: Final[tuple[ColumnElement[Any], ...]] = (
    sql.RAW_ID,
    sql.RAW_WORKER,
    sql.RAW_STATE,
    func.length(job.c.payload).label("payload_size"),
    func.length(job.c.result).label("result_size"),
    *(
        column
        for column in job.c
        if column.name not in {"id", "worker", "state", "payload", "result"}
    ),
)
_RUNNING_OF_WORKER: Final = (
    select(func.count())
    .select_from(job)
    .where(in_state(State.RUNNING), job.c.worker == worker.c.id)
    .scalar_subquery()
)
_IS_LIVE: Final = (worker.c.state != "dead") & (worker.c.lease_until > sql.NOW)
COUNTS: Final[Mapping[State, Select[Any]]] = {
    state: select(job.c.queue, func.count()).where(in_state(state)).group_by(job.c.queue)
    for state in State
    if not state.is_final and state is not State.READY
}
READY_BY_LANE: Final = (
    select(job.c.queue, job.c.task, func.count())
    .where(in_state(State.READY))
    .group_by(job.c.queue, job.c.task)
    .order_by(job.c.queue, job.c.task)
)
# Of the job that a claim would take first: one seek, where the oldest of all takes a scan.
WAITED: Final = (
    select(sql.NOW - func.coalesce(job.c.due_at, job.c.created_at))
    .where(
        in_state(State.READY),
        job.c.queue == bindparam("b_queue"),
        job.c.task == bindparam("b_task"),
    )
    .order_by(job.c.priority.desc(), job.c.seq)
    .limit(1)
)
_PAYLOADS: Final = select(
    job.c.id,
    case(
        (
            func.length(job.c.payload) <= bindparam("b_largest"),
            type_coerce(job.c.payload, NullType),
        ),
        else_=None,
    ).label("payload"),
).where(job.c.id.in_(bindparam("b_ids", expanding=True)))
# Plus 0: of the bare key SQLite seeks the minimum in the table, over all finished rows.
_OLDEST: Final = select(func.min(job.c.seq + 0)).where(in_state(State.READY)).scalar_subquery()
OLDEST_READY: Final = select(sql.NOW - func.coalesce(job.c.due_at, job.c.created_at)).where(
    job.c.seq == _OLDEST
)


def jobs(
    connection: Connection,
    *,
    state: State | None,
    task: str | None,
    queue: str | None,
    limit: int,
    before_seq: int | None,
) -> list[JobView]:
    """Return jobs, newest first."""
    listing = select(*_SHOWN).order_by(job.c.seq.desc()).limit(limit)
    if state is not None:
        listing = listing.where(in_state(state))
    if task is not None:
        # Typed without an origin it means the tasks of all scripts of that name.
        of_scripts = func.substr(job.c.task, 1, len(task) + 1) == f"{task}@"
        listing = listing.where(or_(job.c.task == task, of_scripts))
    if queue is not None:
        listing = listing.where(job.c.queue == queue)
    if before_seq is not None:
        listing = listing.where(job.c.seq < before_seq)
    return [job_view(row) for row in connection.execute(listing)]


def one_job(connection: Connection, job_id: uuid.UUID) -> JobView | None:
    """Return one job, or None."""
    row = connection.execute(select(*_SHOWN).where(job.c.id == job_id)).one_or_none()
    return None if row is None else job_view(row)


def payloads(
    connection: Connection, job_ids: Iterable[uuid.UUID], largest: int
) -> dict[uuid.UUID, bytes]:
    """Return payloads of at most so many bytes; b"" for each larger one, which is not read."""
    found: dict[uuid.UUID, bytes] = {}
    for chunk in padded_chunks(job_ids):
        rows = connection.execute(_PAYLOADS, {"b_ids": chunk, "b_largest": largest})
        # Raw: a foreign program may have left text there.
        found |= {row.id: row.payload if isinstance(row.payload, bytes) else b"" for row in rows}
    return found


def attempts(connection: Connection, job_id: uuid.UUID) -> list[AttemptView]:
    """Return the ended attempts of a job, first to last."""
    listing = (
        select(attempt)
        .join_from(attempt, job, attempt.c.seq == job.c.seq)
        .where(job.c.id == job_id)
        .order_by(attempt.c.number)
    )
    return [attempt_view(job_id, row) for row in connection.execute(listing)]


def workers(connection: Connection, *, include_dead: bool) -> list[WorkerView]:
    """Return workers, latest first."""
    listing = select(worker, _IS_LIVE.label("is_live"), _RUNNING_OF_WORKER.label("running")).where(
        true() if include_dead else _IS_LIVE
    )
    latest_first = listing.order_by(worker.c.started_at.desc(), worker.c.id)
    return [worker_view(row) for row in connection.execute(latest_first)]


def summary(connection: Connection) -> Summary:
    """Return the store at a glance."""
    queues: defaultdict[str, dict[State, int]] = defaultdict(dict)
    for state in COUNTS:
        for queue, count in connection.execute(COUNTS[state]):
            queues[text_of(queue)][state] = count
    lanes = _lanes(connection)
    for lane in lanes:
        queues[lane.queue][State.READY] = queues[lane.queue].get(State.READY, 0) + lane.ready
    for row in connection.execute(select(tally).where(tally.c.jobs != 0)):
        queues[text_of(row.queue)][row.state] = number_of(row.jobs)
    states = {state: sum(known.get(state, 0) for known in queues.values()) for state in State}
    live = select(func.count(), func.coalesce(func.sum(worker.c.slots), 0)).where(_IS_LIVE)
    live_workers, slots = connection.execute(live).one()
    return Summary(
        states=states,
        queues=dict(sorted(queues.items())),
        lanes=lanes,
        oldest_ready=_oldest_ready(connection),
        live_workers=live_workers,
        slots=int(slots),
    )


def _lanes(connection: Connection) -> tuple[LaneView, ...]:
    def waited(queue: str, task: str) -> float:
        age = connection.scalar(WAITED, {"b_queue": queue, "b_task": task})
        return max((age or 0) / 1000, 0.0)

    return tuple(
        LaneView(queue=text_of(queue), task=text_of(task), ready=ready, waited=waited(queue, task))
        for queue, task, ready in connection.execute(READY_BY_LANE).all()
    )


def _oldest_ready(connection: Connection) -> float:
    age = connection.scalar(OLDEST_READY)
    return max((age or 0) / 1000, 0.0)
