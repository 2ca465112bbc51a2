"""Jobs, as their submitter changes and reads them: submit, cancel, outcomes; retrying.py has the rest.

Functions of a connection, inside a transaction that the caller began.
"""

import uuid
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from lightwork.model import ErrorInfo, JobOutcome, NewJob, Progress, State
from lightwork.store.contract import WhenRunning
from lightwork.store.operations import counters, dependencies, ties
from lightwork.store.operations.bounds import limits
from lightwork.store.operations.bounds.declared import limits_text
from lightwork.store.operations.locking import by_id, locked
from lightwork.store.sql import jobs as sql
from lightwork.store.sql.in_lists import padded_chunks
from lightwork.store.sql.many import PlainJobs
from lightwork.store.sql.rows import (
    AnyRow,
    error_values,
    headers_text,
    milliseconds,
    milliseconds_of,
    outcome_of,
    policy_text,
    text_of,
)
from lightwork.store.sql.spelling import Spelling
from lightwork.store.tables.jobs import (
    CANCEL_ASK,
    CANCEL_KILL,
    TIE_EXPIRES,
    TIE_FOR_PERIOD,
    TIE_LIMITED,
    TIE_TAGGED,
    TIE_UNTIL_BEGIN,
    TIE_UNTIL_END,
)
from lightwork.store.views import KnownCall

_NOTHING = Progress(done=0)
_ALL = frozenset(State)
_NO_REASON = {"b_error_type": None, "b_error_text": None}


def submit(connection: Connection, spelling: Spelling, jobs: Sequence[NewJob]) -> list[bool]:
    """Insert the jobs; say for each whether it is new."""
    if len(jobs) < 2:
        return [_insert(connection, spelling, jobs) == 1] * len(jobs)
    savepoint = connection.begin_nested()
    if _insert(connection, spelling, jobs) == len(jobs):
        savepoint.commit()
        return [True] * len(jobs)
    savepoint.rollback()
    return submit_among_others(connection, spelling, jobs)


def submit_among_others(
    connection: Connection, spelling: Spelling, jobs: Sequence[NewJob]
) -> list[bool]:
    """Do the same without a savepoint, which not every foreign connection has.

    A third as fast for many jobs: the database tells each id that it inserted.
    """
    spelling.prepare(connection)
    if len(jobs) < 2:
        return [_insert(connection, spelling, jobs) == 1] * len(jobs)
    # An id given twice is new once: the first time.
    rows: dict[uuid.UUID, dict[str, Any]] = {}
    for new in jobs:
        rows.setdefault(new.id, _parameters(new))
    waiting = _waiting(connection, jobs)
    inserted = spelling.insert_unknown(connection, list(rows.values()))
    new_rows = [row for job_id, row in rows.items() if job_id in inserted]
    waiting = [new for new in waiting if new.id in inserted]
    # What was skipped has used numbers up: those that are new are not simply the last ones.
    _place(connection, spelling, new_rows, waiting, are_last=len(new_rows) == len(rows))
    return [rows.pop(new.id, None) is not None and new.id in inserted for new in jobs]


def submit_plain(
    plain: PlainJobs,
) -> Callable[[Connection, Spelling, Sequence[NewJob]], list[bool]]:
    """Return what inserts these jobs by one statement, and says for each whether it is new."""

    def insert(connection: Connection, spelling: Spelling, _jobs: Sequence[NewJob]) -> list[bool]:
        known = frozenset(spelling.keep_plain(connection, plain))
        return [job_id not in known for job_id in plain.ids]

    return insert


def states(
    connection: Connection, spelling: Spelling, job_ids: Iterable[uuid.UUID]
) -> dict[uuid.UUID, State]:
    """Return the state of each job that exists."""
    return {row.id: row.state for row in spelling.of_jobs(connection, sql.STATE_OF, job_ids)}


def known_calls(connection: Connection, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, KnownCall]:
    """Return what is kept of each job that exists, whatever this transaction saw first."""
    return {
        row.id: KnownCall(task=text_of(row.task), payload=row.payload)
        for row in by_id(connection, sql.CALLS_NOW, job_ids)
    }


def outcomes(
    connection: Connection, spelling: Spelling, job_ids: Iterable[uuid.UUID]
) -> dict[uuid.UUID, JobOutcome]:
    """Return the outcome of each job that has one."""
    rows = spelling.outcomes(connection, list(dict.fromkeys(job_ids)))
    return {row.id: outcome_of(row, row.id) for row in rows}


def results_size(connection: Connection, job_ids: Iterable[uuid.UUID]) -> int:
    """Return how many bytes the results of these jobs have together."""
    return sum(row.size or 0 for row in by_id(connection, sql.RESULT_SIZES, job_ids))


def progress(
    connection: Connection, spelling: Spelling, job_ids: Iterable[uuid.UUID]
) -> dict[uuid.UUID, Progress]:
    """Return what each job has last reported, where it has reported anything."""
    found = (
        (row.id, Progress(done=row.progress_done, total=row.progress_total, note=row.progress_note))
        for row in spelling.of_jobs(connection, sql.PROGRESS_OF, job_ids)
    )
    return {job_id: report for job_id, report in found if report != _NOTHING}


def cancel(
    connection: Connection,
    spelling: Spelling,
    job_ids: Iterable[uuid.UUID],
    running: WhenRunning,
    *,
    among: Container[State] = _ALL,
    why: ErrorInfo | None = None,
) -> dict[uuid.UUID, State]:
    """Cancel what waits; ask for the end of what runs unless that is to be left alone.

    Those that are in no state `among` these stay as they are, and are returned as they are.
    """
    rows = locked(connection, job_ids)
    found = [row for row in rows if row.state in among]
    for state in sql.WAITING:
        cancel_waiting(
            connection, spelling, state, [row for row in found if row.state == state], why
        )
    asked = [row for row in found if row.state == State.RUNNING]
    if asked and running != "no":
        how = {"b_how": CANCEL_KILL if running == "kill" else CANCEL_ASK}
        spelling.change_each(connection, sql.REQUEST_CANCEL, [_key(row) | how for row in asked])
    waiting = {row.id for row in found if row.state in sql.WAITING}
    return {row.id: State.CANCELLED if row.id in waiting else row.state for row in rows}


def cancel_waiting(
    connection: Connection,
    spelling: Spelling,
    state: State,
    rows: Sequence[AnyRow],
    why: ErrorInfo | None = None,
) -> None:
    """Cancel jobs that wait in one state, given as locked rows with seq, attempt and queue."""
    if rows:
        reason = _NO_REASON if why is None else error_values(why)
        spelling.change_each(connection, sql.CANCEL[state], [_key(row) | reason for row in rows])
        counters.add(connection, spelling, [(row.queue, State.CANCELLED) for row in rows])
        ties.end_waiting(connection, [row.seq for row in rows])
        dependencies.tell_children(connection, spelling, [row.seq for row in rows])


def cancel_unwanted(
    connection: Connection, spelling: Spelling, state: State, seqs: Iterable[int]
) -> None:
    """Cancel those that wait again although somebody asked for their end while they ran."""
    unwanted = [
        row
        for chunk in padded_chunks(seqs)
        for row in connection.execute(sql.UNWANTED[state], {"b_seqs": chunk})
    ]
    cancel_waiting(connection, spelling, state, unwanted)


def _insert(connection: Connection, spelling: Spelling, jobs: Sequence[NewJob]) -> int:
    if not jobs:
        return 0
    rows = [_parameters(new) for new in jobs]
    waiting = _waiting(connection, jobs)
    inserted = spelling.execute_many(connection, spelling.insert_new, rows)
    if inserted == len(rows):
        _place(connection, spelling, rows, waiting, are_last=True)
    return inserted


def _waiting(connection: Connection, jobs: Sequence[NewJob]) -> list[NewJob]:
    """Return those that wait for others, which are known to be there."""
    waiting = [new for new in jobs if new.after]
    if waiting:
        dependencies.check_parents(connection, jobs)
    return waiting


def _place(
    connection: Connection,
    spelling: Spelling,
    rows: Sequence[dict[str, Any]],
    waiting: Sequence[NewJob],
    *,
    are_last: bool,
) -> None:
    """Put jobs where they wait that were inserted just now; `are_last`: by one statement, all of it."""
    if tied := [row for row in rows if row["b_ties"]]:
        ties.tie(connection, spelling, tied)
    if waiting:
        inserted = {row["b_id"] for row in rows}
        blocked = dependencies.block(connection, spelling, waiting, inserted)
        rows = [row for row in rows if row["b_id"] not in blocked]
    delayed = [row for row in rows if row["b_delay"] or row["b_due_at"]]
    at_once = [row for row in rows if not (row["b_delay"] or row["b_due_at"])]
    if delayed:
        spelling.execute_many(connection, sql.SCHEDULE, delayed)
    if limited := [row for row in at_once if row["b_ties"] & TIE_LIMITED]:
        waits = limits.place(connection, spelling, limited)
        are_last = are_last and not waits
        at_once = [row for row in at_once if row["b_id"] not in waits]
    # Else these are the last of all.
    if at_once and (delayed or waiting or not are_last):
        spelling.execute_many(connection, sql.MAKE_READY, at_once)
    elif at_once:
        spelling.make_ready(connection, at_once)


def _key(row: AnyRow) -> dict[str, Any]:
    return {"b_seq": row.seq, "b_number": row.attempt}


def _parameters(new: NewJob) -> dict[str, Any]:
    policy = new.policy
    return {
        "b_id": new.id.bytes,
        "b_task": new.task,
        "b_queue": policy.queue,
        "b_priority": policy.priority,
        "b_payload": new.payload,
        "b_policy": policy_text(policy),
        "b_delay": milliseconds(policy.delay) if policy.delay else 0,
        "b_due_at": milliseconds_of(policy.at) if policy.at else None,
        "b_lifetime": milliseconds(policy.expires) if policy.expires else 0,
        "b_ties": _ties_of(new),
        "b_limits": limits_text(new.limits),
        # One for a period ends by itself, and is not taken again.
        "b_unique_key": new.unique.key if new.unique and not new.unique.period else None,
        "b_headers": headers_text(policy.headers),
        "b_tags": policy.tags,
        "b_idempotent": int(policy.idempotent),
    }


def _ties_of(new: NewJob) -> int:
    found = TIE_EXPIRES if new.policy.expires else 0
    if new.limits:
        found |= TIE_LIMITED
    if new.policy.tags:
        found |= TIE_TAGGED
    if new.unique is None:
        return found
    if new.unique.period:
        return found | TIE_FOR_PERIOD
    return found | (TIE_UNTIL_BEGIN if new.unique.until == "begin" else TIE_UNTIL_END)
