"""Queries: what people, dashboards and health checks read of a store.

Only reads. Listings leave payloads and results where they are; the summary counts
unfinished jobs in their own tables, up to a bound, and takes finished ones from the tally.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
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
)
from sqlalchemy.sql.elements import ColumnElement

from lightwork.model import State
from lightwork.store.admin import counts
from lightwork.store.admin.tied import read_tied
from lightwork.store.operations.bounds import queue_limits
from lightwork.store.sql import upkeep as sql
from lightwork.store.sql.in_lists import padded_chunks
from lightwork.store.sql.jobs import BY_ID
from lightwork.store.sql.lanes import ALL_LANES
from lightwork.store.sql.rows import (
    attempt_view,
    job_view,
    milliseconds,
    number_of,
    text_of,
    worker_view,
)
from lightwork.store.sql.states import COLUMNS, WHOLE, raw
from lightwork.store.tables import queues as queue_tables
from lightwork.store.tables.clock_sql import NOW
from lightwork.store.tables.jobs import TABLE_OF, attempt, job, outcome, ready, running
from lightwork.store.tables.jobs import tag as tags
from lightwork.store.tables.workers import worker
from lightwork.store.views import (
    MOST_COUNTED,
    AttemptView,
    JobView,
    LaneView,
    Summary,
    WorkerView,
)

# Values of any type are shown as far as they go; large ones by their size.
_SHOWN: Final[tuple[ColumnElement[Any], ...]] = (
    *(raw(COLUMNS[name]) for name in ("id", "worker", "state")),
    func.length(job.c.payload).label("payload_size"),
    func.length(outcome.c.result).label("result_size"),
    *(
        column
        for name, column in COLUMNS.items()
        if name not in {"id", "worker", "state", "payload", "result"}
    ),
)
_RUNNING_OF_WORKER: Final = (
    select(func.count())
    .select_from(running)
    .where(running.c.worker == worker.c.id)
    .scalar_subquery()
)
# Of a lane, however many there are in others.
_LEAST_COUNTED: Final = 1000
_IS_LIVE: Final = (worker.c.state != "dead") & (worker.c.lease_until > NOW)
_WAITED: Final = select(NOW - func.coalesce(ready.c.due_at, job.c.created_at)).join_from(
    ready, job, job.c.seq == ready.c.seq
)
# Of the job that a claim would take first: one seek, where the oldest of all takes a scan.
WAITED: Final = (
    _WAITED.where(ready.c.queue == bindparam("b_queue"), ready.c.task == bindparam("b_task"))
    .order_by(ready.c.rank, ready.c.seq)
    .limit(1)
)
OLDEST_READY: Final = _WAITED.order_by(ready.c.seq).limit(1)
_PAYLOADS: Final = select(
    job.c.id,
    case(
        (func.length(job.c.payload) <= bindparam("b_largest"), raw(job.c.payload)), else_=None
    ).label("payload"),
).where(BY_ID)


def jobs(
    connection: Connection,
    *,
    state: State | None,
    task: str | None,
    queue: str | None,
    since: float | None,
    limit: int,
    before_seq: int | None,
    tag: str | None = None,
) -> list[JobView]:
    """Return jobs, newest first."""
    found = listing(
        _SHOWN, state=state, task=task, queue=queue, since=since, limit=limit, before_seq=before_seq
    )
    if tag is not None:
        found = found.where(job.c.seq.in_(select(tags.c.seq).where(tags.c.name == tag)))
    rows = connection.execute(found).all()
    tied = read_tied(connection, rows)
    return [job_view(row, **tied.of(row)) for row in rows]


def listing(
    columns: Sequence[ColumnElement[Any]],
    *,
    state: State | None,
    task: str | None,
    queue: str | None,
    since: float | None,
    limit: int,
    before_seq: int | None,
) -> Select[Any]:
    """Return what selects these columns of jobs, newest first."""
    # Of a job in a known state: the table of that is walked, and no other looked at.
    table = job if state is None else TABLE_OF[state]
    found = select(*columns).select_from(WHOLE).order_by(table.c.seq.desc()).limit(limit)
    if state is not None:
        found = found.where(table.c.seq.is_not(None), *_told_apart(state))
    if task is not None:
        # Typed without an origin it means the tasks of all scripts of that name.
        of_scripts = func.substr(job.c.task, 1, len(task) + 1) == f"{task}@"
        found = found.where(or_(job.c.task == task, of_scripts))
    if queue is not None:
        found = found.where(job.c.queue == queue)
    if since is not None:
        found = found.where(_entered(state) >= NOW - milliseconds(since))
    if before_seq is not None:
        found = found.where(table.c.seq < before_seq)
    return found


def _entered(state: State | None) -> ColumnElement[int]:
    """Return the instant from which `since` counts."""
    if state is None:
        return func.coalesce(outcome.c.finished_at, job.c.created_at)
    return outcome.c.finished_at if state.is_final else job.c.created_at


def _told_apart(state: State) -> list[ColumnElement[bool]]:
    """Return what tells a finished job of this state from others in the table."""
    if not state.is_final:
        return []
    # Most have succeeded: the newest are found soon. Through the index all would be sorted.
    is_rare = state is not State.SUCCEEDED
    return [(outcome.c.state if is_rare else func.coalesce(outcome.c.state, "")) == state]


def one_job(connection: Connection, job_id: uuid.UUID) -> JobView | None:
    """Return one job, or None."""
    row = connection.execute(
        select(*_SHOWN).select_from(WHOLE).where(job.c.id == job_id)
    ).one_or_none()
    return None if row is None else job_view(row, **read_tied(connection, [row]).of(row))


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
    for state, statement in counts.OTHERS.items():
        for queue, count in connection.execute(statement, {"b_limit": MOST_COUNTED + 1}):
            queues[text_of(queue)][state] = count
    lanes = _lanes(connection)
    for lane in lanes:
        queues[lane.queue][State.READY] = queues[lane.queue].get(State.READY, 0) + lane.ready
    for row in connection.execute(sql.TALLY):
        queues[text_of(row.queue)][row.state] = number_of(row.jobs)
    states = {state: sum(known.get(state, 0) for known in queues.values()) for state in State}
    live = select(func.count(), func.coalesce(func.sum(worker.c.slots), 0)).where(_IS_LIVE)
    live_workers, slots = connection.execute(live).one()
    return Summary(
        states=states,
        queues=dict(sorted(queues.items())),
        lanes=lanes,
        oldest_ready=oldest_ready(connection),
        live_workers=live_workers,
        slots=int(slots),
        paused=frozenset(map(text_of, connection.scalars(select(queue_tables.queue.c.name)))),
        limits=queue_limits.limits(connection),
    )


def _lanes(connection: Connection) -> tuple[LaneView, ...]:
    found: list[LaneView] = []
    left = MOST_COUNTED
    for queue in connection.scalars(counts.QUEUES).all():
        for task in list(connection.scalars(ALL_LANES, {"b_queue": queue})):
            found.append(_lane(connection, queue, task, max(left, _LEAST_COUNTED)))
            left -= found[-1].ready
    return tuple(found)


def _lane(connection: Connection, queue: Any, task: Any, most: int) -> LaneView:
    lane = {"b_queue": queue, "b_task": task}
    age = connection.scalar(WAITED, lane)
    ready = connection.execute(counts.READY_OF_LANE, lane | {"b_limit": most + 1})
    return LaneView(
        queue=text_of(queue),
        task=text_of(task),
        ready=ready.scalar_one(),
        waited=max((age or 0) / 1000, 0.0),
    )


def oldest_ready(connection: Connection) -> float:
    """Return the age in seconds of the ready job submitted first; 0: none is ready."""
    age = connection.scalar(OLDEST_READY)
    return max((age or 0) / 1000, 0.0)
