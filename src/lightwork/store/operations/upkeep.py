"""Upkeep: what any worker does now and then for all: promote, rescue, prune.

Safe in parallel: whoever comes second finds nothing left to change. Bounded: a
batch holds the write lock for milliseconds. No row can block a batch: what is
selected is either changed or was changed by somebody else.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, select

from lightwork.lifecycle import AttemptEnd, Quarantined
from lightwork.model import ErrorInfo, Retention, State
from lightwork.retry import after_loss
from lightwork.store.contracts.chores import Chores
from lightwork.store.operations import counters, dependencies, ties
from lightwork.store.operations.attempts import Ending, end_attempts
from lightwork.store.operations.bounds import expiry, unique, waiting
from lightwork.store.operations.workers import IsLive, any_ended, end_leases
from lightwork.store.sql import upkeep as sql
from lightwork.store.sql.dependencies import IS_ONE_LEFT
from lightwork.store.sql.ends import ABANDONED, SEEN_ABANDONED
from lightwork.store.sql.in_lists import padded_chunks
from lightwork.store.sql.jobs import STATES_BY_SEQ
from lightwork.store.sql.rows import (
    AnyRow,
    CorruptRow,
    check_numbers,
    milliseconds,
    number_of,
    policy_of,
    text_of,
)
from lightwork.store.sql.spelling import Spelling
from lightwork.store.sql.states import FINALS
from lightwork.store.tables.clock_sql import NOW
from lightwork.store.tables.types import id_of
from lightwork.store.views import Rescued


def _chores(next_due_in: Select[Any]) -> Select[Any]:
    return select(
        next_due_in.scalar_subquery().label("due_in"),
        sql.NEXT_RUN_IN.scalar_subquery().label("run_in"),
        IS_ONE_LEFT.exists().label("has_untold"),
        expiry.NEXT_OVER_IN.scalar_subquery().label("over_in"),
        unique.NEXT_OVER_IN.scalar_subquery().label("key_over_in"),
        waiting.IS_ANY_WAITING.scalar_subquery().label("has_waiting"),
    )


_CHORES: Final = _chores(sql.NEXT_DUE_IN)
_CHORES_SINCE: Final = _chores(sql.NEXT_DUE_IN_SINCE).add_columns(NOW.label("now"))
NOTHING_TO_DO: Final = Chores(due_in=None, over_in=None, has_untold=False, has_waiting=False)


def chores(connection: Connection, spelling: Spelling) -> Chores:
    """Return what there is to do for the whole store: one statement, since every idle worker asks it."""

    def ask(since: int | None) -> AnyRow:
        if since is None:
            return connection.execute(_CHORES).one()
        return connection.execute(_CHORES_SINCE, {"b_since": since}).one()

    row = spelling.next_due(ask)
    return Chores(
        due_in=_soonest(row.due_in, row.run_in),
        over_in=_soonest(row.over_in, row.key_over_in),
        has_untold=bool(row.has_untold),
        has_waiting=bool(row.has_waiting),
    )


def _soonest(*milliseconds: int | None) -> float | None:
    """Return seconds, 0 if it is past."""
    left = min((one for one in milliseconds if one is not None), default=None)
    return None if left is None else max(left / 1000, 0.0)


def promote(connection: Connection, spelling: Spelling, limit: int) -> list[int]:
    """Make due jobs ready; return which, by seq."""
    since = spelling.due_since()
    due = (
        connection.execute(sql.DUE, {"b_limit": limit}).all()
        if since is None
        else connection.execute(sql.DUE_SINCE, {"b_limit": limit, "b_since": since}).all()
    )
    if due:
        keys = [{"b_seq": row.seq, "b_number": row.attempt} for row in due]
        spelling.change_each(connection, sql.PROMOTE, keys)
    return [row.seq for row in due]


def places(connection: Connection, seqs: Iterable[int]) -> list[AnyRow]:
    """Return where these jobs are in their lanes, as far as they are ready."""
    return [
        row
        for chunk in padded_chunks(seqs)
        for row in connection.execute(sql.PLACES, {"b_seqs": chunk})
    ]


def is_rescue_due(connection: Connection, is_live: IsLive, late: Sequence[uuid.UUID]) -> bool:
    """Return whether there is anybody to be declared dead, or an attempt of the dead; reads all that run."""
    if any_ended(connection, is_live, late):
        return True
    return connection.execute(SEEN_ABANDONED, {"b_limit": 1}).first() is not None


def rescue(
    connection: Connection, spelling: Spelling, is_live: IsLive, limit: int
) -> tuple[list[Rescued], list[int]]:
    """Declare workers dead that are, and end the attempts of the dead; the numbers are the seqs of their jobs."""
    end_leases(connection, is_live)
    rows = connection.execute(ABANDONED, {"b_limit": limit}).all()
    endings = [_ending(row) for row in rows]
    accepted = end_attempts(connection, spelling, endings)
    rescued = [row for row, is_ours in zip(rows, accepted, strict=True) if is_ours]
    after = _states_after(connection, [row.seq for row in rescued])
    return [
        Rescued(
            job_id=id_of(row.id),
            number=row.attempt,
            queue=text_of(row.queue),
            task=text_of(row.task),
            state_after=after[row.seq],
            worker=text_of(row.worker_name or ""),
        )
        for row in rescued
    ], [row.seq for row in rescued]


def ages_of(older_than: float | Retention) -> dict[State, int]:
    """Return after how many milliseconds jobs of each final state are deleted."""
    if isinstance(older_than, Retention):
        return {state: milliseconds(age) for state, age in older_than.ages().items()}
    return dict.fromkeys(FINALS, milliseconds(older_than))


def is_prune_due(connection: Connection, ages: Mapping[State, int]) -> bool:
    """Return whether there is anything that `prune` would delete."""
    for state, age in ages.items():
        if connection.execute(sql.SEEN_PRUNABLE[state], {"b_age": age, "b_limit": 1}).first():
            return True
    if not ages:
        return False
    return connection.execute(sql.SEEN_WORKERS, {"b_age": max(ages.values())}).first() is not None


def prune(connection: Connection, spelling: Spelling, ages: Mapping[State, int], limit: int) -> int:
    """Delete old finished jobs with their attempts, and workers long dead."""
    found: list[AnyRow] = []
    for state, age in ages.items():
        left = {"b_age": age, "b_limit": limit - len(found)}
        found += connection.execute(sql.PRUNABLE[state], left).all()
    # Again, now that they are locked: a job may have been submitted after one of them meanwhile.
    needed = dependencies.needed(connection, [row.seq for row in found])
    found = [row for row in found if row.seq not in needed]
    # In key order: two who delete the same rows in opposite order deadlock.
    keys = [
        {"b_seq": row.seq, "b_number": row.attempt, "b_state": str(row.state)}
        for row in sorted(found, key=lambda row: row.seq)
    ]
    if keys:
        dependencies.forget(connection, [key["b_seq"] for key in keys])
        spelling.change_each(connection, sql.DELETE_OUTCOME, keys)
        ties.forget(connection, [row["b_seq"] for row in keys])
        spelling.change_each(connection, sql.DELETE_JOB, keys)
        spelling.execute_many(connection, sql.DELETE_ATTEMPTS, keys)
        counters.subtract(connection, spelling, [(row.queue, row.state) for row in found])
    # As long as any job that they have run.
    connection.execute(sql.DELETE_WORKERS, {"b_age": max(ages.values())})
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
        ties=number_of(row.ties),
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
        for row in connection.execute(STATES_BY_SEQ, {"b_seqs": chunk})
    }
