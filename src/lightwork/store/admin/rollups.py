"""Roll-ups: what workers add to the history, how it is folded, and how it is read.

Approximate on purpose: a worker that is killed takes some seconds of it along, and an answer
that is lost on its way may count them twice. What must be exact is in the tally.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select

from lightwork.store.sql import rollups as sql
from lightwork.store.sql.many import execute_many
from lightwork.store.sql.rows import AnyRow, instant, number_of, text_of
from lightwork.store.sql.spelling import Spelling
from lightwork.store.tables.rollups import NOBODY
from lightwork.store.views import History, Rollup

# A worker that has read the clock writes seconds later at most.
_FOLD_MINUTES: Final = 2
# For how long each minute is kept apart, then each hour.
_FINE_MINUTES: Final = 8 * 60
_KEPT_MINUTES: Final = 30 * 24 * 60
_HOUR: Final = 60

_Counts = defaultdict[tuple[Any, ...], list[int]]


def add(
    connection: Connection, spelling: Spelling, worker_id: uuid.UUID, rollups: Sequence[Rollup]
) -> None:
    """Add to this minute's rows of a worker, whatever minute the roll-ups name."""
    minute = _now_ms(connection) // sql.MINUTE_MS
    _add(connection, spelling, worker_id, ((_key(one, minute), one) for one in rollups))


def is_fold_due(connection: Connection) -> bool:
    """Return whether there is anything to fold or forget; takes no lock."""
    minute = _now_ms(connection) // sql.MINUTE_MS
    return any(
        _batch(connection, statement, minute - age, 1)
        for statement, age in (
            (sql.SEEN_TO_FOLD, _FOLD_MINUTES),
            (sql.SEEN_TO_HOURS, _FINE_MINUTES),
            (sql.SEEN_TO_FORGET, _KEPT_MINUTES),
        )
    )


def fold(connection: Connection, spelling: Spelling, limit: int) -> int:
    """Fold rows of minutes that are over, forget the oldest; return how many rows are gone."""
    minute = _now_ms(connection) // sql.MINUTE_MS
    gone = _fold(
        connection,
        spelling,
        _batch(connection, sql.TO_FOLD, minute - _FOLD_MINUTES, limit),
        lambda row: (row.minute, 0),
    )
    gone += _fold(
        connection,
        spelling,
        _batch(connection, sql.TO_HOURS, minute - _FINE_MINUTES, limit),
        lambda row: (row.minute - row.minute % _HOUR,),
    )
    gone += _fold(
        connection,
        spelling,
        _batch(connection, sql.TO_FORGET, minute - _KEPT_MINUTES, limit),
        lambda _row: (),
    )
    return gone


def history(connection: Connection, minutes: int) -> History:
    """Return what has happened in this minute and those before, so many in all."""
    now = _now_ms(connection)
    values = {"b_minute": now // sql.MINUTE_MS - minutes + 1}
    rows = (row for statement in sql.SINCE for row in connection.execute(statement, values))
    return History(until=instant(now), rollups=_summed(rows, lambda row: number_of(row.minute)))


def totals(connection: Connection) -> tuple[Rollup, ...]:
    """Return all that has ever happened, without minutes."""
    rows = (row for statement in sql.TOTALS for row in connection.execute(statement))
    return _summed(rows, lambda _row: 0)


def _now_ms(connection: Connection) -> int:
    return int(connection.execute(sql.NOW_MS).scalar_one())


def _batch(connection: Connection, statement: Select[Any], minute: int, limit: int) -> list[AnyRow]:
    return list(connection.execute(statement, {"b_minute": minute, "b_limit": limit}))


def _fold(
    connection: Connection,
    spelling: Spelling,
    rows: Sequence[AnyRow],
    minutes_of: Callable[[AnyRow], Iterable[int]],
) -> int:
    """Add rows to those of nobody in some minutes, and delete them."""
    _add(
        connection,
        spelling,
        NOBODY,
        ((_key(row, minute), row) for row in rows for minute in minutes_of(row)),
    )
    gone = [
        {f"b_{name}": getattr(row, name) for name in sql.KEY} | {"b_worker": row.worker.bytes}
        for row in rows
    ]
    if gone:
        spelling.change_each(connection, sql.DELETE, gone)
    return len(gone)


def _add(
    connection: Connection,
    spelling: Spelling,
    worker_id: uuid.UUID,
    parts: Iterable[tuple[tuple[Any, ...], Any]],
) -> None:
    counts: _Counts = defaultdict(lambda: [0, 0])
    for key, part in parts:
        counts[key][0] += part.jobs
        counts[key][1] += part.total_ms
    # In key order: two who add to the same rows in opposite order deadlock.
    rows = [
        {
            "b_worker": worker_id.bytes,
            "b_minute": minute,
            "b_queue": queue,
            "b_task": task,
            "b_measure": measure,
            "b_bucket": bucket,
            "b_jobs": jobs,
            "b_total_ms": total_ms,
        }
        for (minute, queue, task, measure, bucket), (jobs, total_ms) in sorted(counts.items())
    ]
    if rows:
        execute_many(connection, spelling.add_rollup, rows)


def _key(part: Any, minute: int) -> tuple[Any, ...]:
    return minute, part.queue, part.task, part.measure, part.bucket


def _summed(rows: Iterable[AnyRow], minute_of: Callable[[AnyRow], int]) -> tuple[Rollup, ...]:
    counts: _Counts = defaultdict(lambda: [0, 0])
    for row in rows:
        # Of a damaged row what can be read: a listing that shows nothing helps nobody.
        key = (minute_of(row), *map(text_of, (row.queue, row.task, row.measure)))
        known = counts[*key, number_of(row.bucket)]
        known[0] += number_of(row.jobs)
        known[1] += number_of(row.total_ms)
    return tuple(
        Rollup(
            minute=minute,
            queue=queue,
            task=task,
            measure=measure,
            bucket=bucket,
            jobs=jobs,
            total_ms=total_ms,
        )
        for (minute, queue, task, measure, bucket), (jobs, total_ms) in sorted(counts.items())
    )
