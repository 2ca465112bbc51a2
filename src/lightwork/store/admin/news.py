"""News: what has happened in a store since somebody looked: new jobs, and what has ended.

Each statement walks an index from where the reader was, a bounded number of rows, and never
counts or scans. What commits late has a number or an instant that others have passed
already: whoever must not miss it looks a little further back, as work/news/following.py does.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Connection,
    Select,
    and_,
    bindparam,
    func,
    or_,
    select,
)

from lightwork.model import ErrorInfo, State
from lightwork.store.sql.rows import AnyRow, number_of, text_of
from lightwork.store.sql.states import FINALS, raw, word
from lightwork.store.tables.clock_sql import NOW
from lightwork.store.tables.jobs import attempt, job, outcome
from lightwork.store.tables.types import id_of
from lightwork.store.views import NewsMark, NewsView

_AT: Final = bindparam("b_at", type_=BigInteger)
_SEQ: Final = bindparam("b_seq", type_=BigInteger)
_NUMBER: Final = bindparam("b_number", type_=BigInteger)
_LIMIT: Final[BindParameter[int]] = bindparam("b_limit")

MARK: Final = select(func.coalesce(func.max(job.c.seq), 0), NOW)
NEW_JOBS: Final = (
    select(raw(job.c.id), job.c.seq, job.c.task, job.c.queue, job.c.created_at)
    .where(job.c.seq > _SEQ, job.c.seq <= bindparam("b_last", type_=BigInteger))
    .order_by(job.c.seq)
    .limit(_LIMIT)
)
ENDED_JOBS: Final[Mapping[State, Select[Any]]] = {
    state: select(
        raw(job.c.id),
        outcome.c.seq,
        job.c.task,
        job.c.queue,
        outcome.c.attempt,
        outcome.c.started_at,
        outcome.c.finished_at,
        outcome.c.error_type,
        outcome.c.error_text,
    )
    .join_from(outcome, job, job.c.seq == outcome.c.seq)
    .where(
        outcome.c.state == word(state),
        outcome.c.finished_at >= _AT,
        or_(outcome.c.finished_at > _AT, outcome.c.seq > _SEQ),
    )
    .order_by(outcome.c.finished_at, outcome.c.seq)
    .limit(_LIMIT)
    for state in FINALS
}
# Without those by which the job ended: these are told as the end of the job.
ENDED_ATTEMPTS: Final = (
    select(
        raw(job.c.id),
        attempt.c.seq,
        job.c.task,
        job.c.queue,
        attempt.c.number,
        attempt.c.ended_at,
        attempt.c.outcome,
        attempt.c.error_type,
        attempt.c.error_text,
        outcome.c.seq.label("final"),
    )
    .join_from(attempt, job, job.c.seq == attempt.c.seq)
    .outerjoin(outcome, and_(outcome.c.seq == attempt.c.seq, outcome.c.attempt == attempt.c.number))
    .where(
        attempt.c.ended_at >= _AT,
        or_(
            attempt.c.ended_at > _AT,
            attempt.c.seq > _SEQ,
            and_(attempt.c.seq == _SEQ, attempt.c.number > _NUMBER),
        ),
    )
    .order_by(attempt.c.ended_at, attempt.c.seq, attempt.c.number)
    .limit(_LIMIT)
)


def mark(connection: Connection) -> NewsMark:
    """Return where the news end now."""
    seq, now = connection.execute(MARK).one()
    return NewsMark(at_ms=now, seq=seq)


def new_jobs(connection: Connection, above: int, last: int, limit: int) -> list[NewsView]:
    """Return jobs by their numbers."""
    values = {"b_seq": above, "b_last": last, "b_limit": limit}
    return [_view(row, "submitted", row.created_at) for row in connection.execute(NEW_JOBS, values)]


def ended_jobs(connection: Connection, state: State, after: NewsMark, limit: int) -> list[NewsView]:
    """Return jobs in the order in which they ended."""
    if state not in FINALS:
        return []
    values = {"b_at": after.at_ms, "b_seq": after.seq, "b_limit": limit}
    return [
        _view(row, state, row.finished_at, number=number_of(row.attempt), error=_error_of(row))
        for row in connection.execute(ENDED_JOBS[state], values)
    ]


def ended_attempts(connection: Connection, after: NewsMark, limit: int) -> list[NewsView]:
    """Return attempts in the order in which they ended."""
    values = {
        "b_at": after.at_ms,
        "b_seq": after.seq,
        "b_number": after.number,
        "b_limit": limit,
    }
    return [
        _view(
            row,
            f"attempt {text_of(row.outcome)}" if row.final is None else "",
            row.ended_at,
            number=row.number,
            error=_error_of(row),
        )
        for row in connection.execute(ENDED_ATTEMPTS, values)
    ]


def _view(
    row: AnyRow, what: str, at: Any, *, number: int = 0, error: ErrorInfo | None = None
) -> NewsView:
    started = getattr(row, "started_at", None)
    is_timed = isinstance(started, int) and isinstance(at, int)
    return NewsView(
        mark=NewsMark(at_ms=number_of(at), seq=row.seq, number=number),
        what=what,
        job_id=id_of(row.id),
        task=text_of(row.task),
        queue=text_of(row.queue),
        seconds=max(at - started, 0) / 1000 if is_timed else 0.0,
        error=error,
    )


def _error_of(row: AnyRow) -> ErrorInfo | None:
    if row.error_type is None:
        return None
    return ErrorInfo(type=text_of(row.error_type), text=text_of(row.error_text or ""))
