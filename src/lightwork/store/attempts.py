"""Attempts, as a worker ends them: ack, progress, requests to stop.

The one place where an attempt ends is `end_attempts`, whoever ends it: the worker
that ran it, the worker that signs off, or the one that rescues. Each end is an
UPDATE guarded by seq, attempt number, state and worker; a refused one changes
nothing and is reported.

The ends of a batch are written kind by kind, many rows to a statement. When a row
count says that one of them was refused, the whole batch is rolled back to a
savepoint and written one by one, which tells which: refusals are rare.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection

from lightwork.lifecycle import (
    AttemptEnd,
    Cancelled,
    Failed,
    Lost,
    Quarantined,
    Retried,
    Succeeded,
    step,
)
from lightwork.model import Attempt, Progress, State
from lightwork.store import statements as sql
from lightwork.store import tallying
from lightwork.store.bulk import execute_many
from lightwork.store.jobs import cancel_unwanted
from lightwork.store.rows import (
    MAX_NOTE,
    error_values,
    finite,
    milliseconds,
    storable,
)
from lightwork.store.tables import CANCEL_KILL

# How the ends that are kept as rows of `attempt` are called there.
_KEPT: Final[dict[type[AttemptEnd], str]] = {
    Failed: "failed",
    Retried: "failed",
    Cancelled: "cancelled",
    Lost: "lost",
    Quarantined: "lost",
}
_NO_ERROR: Final = {"b_error_type": None, "b_error_text": None, "b_traceback": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The end of one attempt, with all that its guard names."""

    seq: int
    number: int
    worker: bytes | None
    queue: str
    end: AttemptEnd


def ending_of(worker: bytes, attempt: Attempt, end: AttemptEnd) -> Ending:
    """Return the end of an attempt that a worker, given as the bytes of its id, claimed."""
    return Ending(
        seq=attempt.seq,
        number=attempt.number,
        worker=worker,
        queue=attempt.policy.queue,
        end=end,
    )


def end_attempts(connection: Connection, endings: Sequence[Ending]) -> list[bool]:
    """Record the ends; say for each whether it was accepted."""
    if not endings:
        return []
    if len(endings) == 1:
        return [_record(connection, endings)]
    savepoint = connection.begin_nested()
    if _record(connection, endings):
        savepoint.commit()
        return [True] * len(endings)
    savepoint.rollback()
    return [_record(connection, [ending]) for ending in endings]


def note_begun(connection: Connection, worker_id: uuid.UUID, attempts: Iterable[Attempt]) -> None:
    """Record that attempts have begun, where they are still this worker's."""
    values = [
        {"b_seq": attempt.seq, "b_number": attempt.number, "b_worker": worker_id.bytes}
        for attempt in attempts
    ]
    if values:
        execute_many(connection, sql.NOTE_BEGUN, values)


def report_progress(
    connection: Connection, worker_id: uuid.UUID, reports: Iterable[tuple[Attempt, Progress]]
) -> None:
    """Record how far attempts are, where they are still this worker's."""
    values = [
        {
            "b_seq": attempt.seq,
            "b_number": attempt.number,
            "b_worker": worker_id.bytes,
            "b_done": finite(progress.done),
            "b_total": finite(progress.total),
            "b_note": storable(progress.note, MAX_NOTE),
        }
        for attempt, progress in reports
    ]
    if values:
        execute_many(connection, sql.REPORT_PROGRESS, values)


def cancel_requests(
    connection: Connection, worker_id: uuid.UUID
) -> list[tuple[uuid.UUID, int, bool]]:
    """Return what this worker runs and is asked to stop."""
    found = connection.execute(sql.CANCEL_REQUESTS, {"b_worker": worker_id})
    return [(row.id, row.attempt, row.cancel_requested == CANCEL_KILL) for row in found]


def _record(connection: Connection, endings: Sequence[Ending]) -> bool:
    """Write the ends; False if one was refused, and then what was written is to be undone."""
    in_kinds = sorted(endings, key=lambda ending: type(ending.end).__name__)
    for kind, group in groupby(in_kinds, key=lambda ending: type(ending.end)):
        values = [_values(ending) for ending in group]
        if execute_many(connection, sql.END[kind], values) != len(values):
            return False
        if kind in _KEPT:
            execute_many(connection, sql.KEEP_ATTEMPT, values)
    _settle(connection, endings)
    return True


def _settle(connection: Connection, endings: Sequence[Ending]) -> None:
    after = [(ending, step(State.RUNNING, type(ending.end))) for ending in endings]
    tallying.add(connection, [(ending.queue, state) for ending, state in after if state.is_final])
    cancel_unwanted(connection, [ending.seq for ending, state in after if not state.is_final])


def _values(ending: Ending) -> dict[str, Any]:
    values: dict[str, Any] = {
        "b_seq": ending.seq,
        "b_number": ending.number,
        "b_worker": ending.worker,
    }
    match ending.end:
        case Succeeded(result):
            return values | {"b_result": result}
        case Failed(error) | Lost(error) | Quarantined(error):
            values |= error_values(error)
        case Retried(error, delay):
            values |= error_values(error) | {"b_delay": milliseconds(delay)}
        case Cancelled():
            values |= _NO_ERROR
    return values | {"b_outcome": _KEPT.get(type(ending.end), "")}
