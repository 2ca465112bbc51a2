"""Chores: what any worker does now and then for all: promote, rescue, prune.

Safe in parallel: whoever comes second finds nothing left to change. Bounded: a
batch holds the write lock for milliseconds. No row can block a batch: what is
selected is either changed or was changed by somebody else.
"""

import uuid
from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from lightwork.lifecycle import AttemptEnd, Quarantined
from lightwork.model import ErrorInfo, State
from lightwork.retry import after_loss
from lightwork.store import statements as sql
from lightwork.store import tallying
from lightwork.store.attempts import Ending, end_attempts
from lightwork.store.bulk import change_each, execute_many
from lightwork.store.chunks import padded_chunks
from lightwork.store.life import Life
from lightwork.store.rows import AnyRow, CorruptRow, check_numbers, milliseconds, policy_of, text_of
from lightwork.store.tables import id_of
from lightwork.store.views import Rescued
from lightwork.store.workers import any_ended, end_leases


def promote(connection: Connection, limit: int) -> int:
    """Make due jobs ready."""
    return len(connection.execute(sql.PROMOTE, {"b_limit": limit}).all())


def next_due_in(connection: Connection) -> float | None:
    """Return seconds until the earliest scheduled job is due, 0 if it is overdue."""
    left = connection.scalar(sql.NEXT_DUE_IN)
    return None if left is None else max(left / 1000, 0.0)


def is_rescue_due(connection: Connection, life: Callable[[uuid.UUID], Life]) -> bool:
    """Return whether there is anybody to be declared dead, or an attempt of the dead."""
    if any_ended(connection, life):
        return True
    return connection.execute(sql.ABANDONED, {"b_limit": 1}).first() is not None


def rescue(connection: Connection, limit: int, life: Callable[[uuid.UUID], Life]) -> list[Rescued]:
    """Declare workers dead that are, and end the attempts of the dead."""
    end_leases(connection, life)
    rows = connection.execute(sql.ABANDONED, {"b_limit": limit}).all()
    endings = [_ending(row) for row in rows]
    accepted = end_attempts(connection, endings)
    rescued = [row for row, is_ours in zip(rows, accepted, strict=True) if is_ours]
    after = _states_after(connection, [row.seq for row in rescued])
    return [
        Rescued(
            job_id=id_of(row.id),
            number=row.attempt,
            state_after=after[row.seq],
            worker=text_of(row.worker_name or ""),
        )
        for row in rescued
    ]


def prune(connection: Connection, older_than: float, limit: int) -> int:
    """Delete old finished jobs with their attempts, and workers long dead."""
    age = milliseconds(older_than)
    found = connection.execute(sql.PRUNABLE, {"b_age": age, "b_limit": limit}).all()
    # In key order: two who delete the same rows in opposite order deadlock.
    keys = [
        {"b_seq": row.seq, "b_number": row.attempt}
        for row in sorted(found, key=lambda row: row.seq)
    ]
    if keys:
        change_each(connection, sql.DELETE_JOB, keys)
        execute_many(connection, sql.DELETE_ATTEMPTS, [{"b_seq": key["b_seq"]} for key in keys])
        tallying.subtract(connection, [(row.queue, row.state) for row in found])
    connection.execute(sql.DELETE_WORKERS, {"b_age": age})
    return len(keys)


def _ending(row: AnyRow) -> Ending:
    text = (
        f"worker {row.worker_name or 'unknown'} stopped renewing its lease during attempt "
        f"{row.attempt}; it died, hung or lost the database"
    )
    error = ErrorInfo(type="WorkerLost", text=text)
    return Ending(
        seq=row.seq,
        number=row.attempt,
        worker=row.worker,
        queue=row.queue,
        end=_end_of_lost(row, error),
    )


def _end_of_lost(row: AnyRow, error: ErrorInfo) -> AttemptEnd:
    try:
        check_numbers(row.attempt, row.crashes)
        policy = policy_of(row.policy, row.queue, row.priority)
    except CorruptRow:
        return Quarantined(error)
    # What may not run twice begins with its claim, whatever a foreign program has written.
    is_begun = bool(row.begun) or not policy.idempotent
    return after_loss(policy, row.crashes, error, started=is_begun)


def _states_after(connection: Connection, seqs: Sequence[int]) -> dict[int, State]:
    # Not computed: a job that somebody wants cancelled is not made ready again.
    return {
        row.seq: row.state
        for chunk in padded_chunks(seqs)
        for row in connection.execute(sql.STATES_BY_SEQ, {"b_seqs": chunk})
    }
