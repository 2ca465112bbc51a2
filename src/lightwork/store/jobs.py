"""Jobs, as their submitter changes and reads them: submit, cancel, retry, outcomes.

Functions of a connection, inside a transaction that the caller began.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, select

from lightwork.lifecycle import Resubmitted, states_before
from lightwork.model import JobOutcome, NewJob, Progress, State
from lightwork.store import statements as sql
from lightwork.store import tallying
from lightwork.store.bulk import change_each, execute_many
from lightwork.store.chunks import padded_chunks
from lightwork.store.contract import WhenRunning
from lightwork.store.rows import AnyRow, milliseconds, outcome_of, policy_text
from lightwork.store.sqlite_clock import equip
from lightwork.store.tables import CANCEL_ASK, CANCEL_KILL, in_state, job

# Plain text: drivers of execute_many take nothing else.
_SCHEDULED, _READY = str(State.SCHEDULED), str(State.READY)
_STATES = select(job.c.id, job.c.state).where(sql.BY_ID)
_PROGRESS = select(job.c.id, job.c.progress_done, job.c.progress_total, job.c.progress_note).where(
    sql.BY_ID
)
_NOTHING = Progress(done=0)
_OUTCOMES = select(
    job.c.id,
    job.c.state,
    job.c.attempt,
    job.c.result,
    job.c.error_type,
    job.c.error_text,
    job.c.traceback,
).where(sql.BY_ID, in_state(*sql.FINALS))


def submit(connection: Connection, jobs: Sequence[NewJob]) -> list[bool]:
    """Insert the jobs; say for each whether it is new."""
    if len(jobs) < 2:
        return [_insert(connection, jobs) == 1] * len(jobs)
    savepoint = connection.begin_nested()
    if _insert(connection, jobs) == len(jobs):
        savepoint.commit()
        return [True] * len(jobs)
    savepoint.rollback()
    return submit_among_others(connection, jobs)


def submit_among_others(connection: Connection, jobs: Sequence[NewJob]) -> list[bool]:
    """Do the same without a savepoint, which not every foreign connection has.

    A third as fast for many jobs: the database tells each id that it inserted.
    """
    if connection.dialect.name == "sqlite":
        # A connection of the user's own knows nothing of the file's clock.
        equip(connection.connection.dbapi_connection)
    if len(jobs) < 2:
        return [_insert(connection, jobs) == 1] * len(jobs)
    insert = sql.insert_new(connection.dialect.name).returning(job.c.id)
    inserted = set(
        connection.scalars(insert, [_parameters(new) | {"b_id": new.id} for new in jobs])
    )
    # An id given twice is new once: the first time.
    first = {new.id: index for index, new in reversed(list(enumerate(jobs)))}
    return [new.id in inserted and first[new.id] == index for index, new in enumerate(jobs)]


def states(connection: Connection, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, State]:
    """Return the state of each job that exists."""
    return {row.id: row.state for row in _by_id(connection, _STATES, job_ids)}


def outcomes(connection: Connection, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, JobOutcome]:
    """Return the outcome of each job that has one."""
    return {row.id: outcome_of(row) for row in _by_id(connection, _OUTCOMES, job_ids)}


def progress(connection: Connection, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Progress]:
    """Return what each job has last reported, where it has reported anything."""
    found = (
        (row.id, Progress(done=row.progress_done, total=row.progress_total, note=row.progress_note))
        for row in _by_id(connection, _PROGRESS, job_ids)
    )
    return {job_id: report for job_id, report in found if report != _NOTHING}


def cancel(
    connection: Connection, job_ids: Iterable[uuid.UUID], *, running: WhenRunning
) -> dict[uuid.UUID, State]:
    """Cancel what waits; ask for the end of what runs unless that is to be left alone."""
    found = list(_by_id(connection, sql.LOCK_BY_ID, job_ids))
    cancel_waiting(connection, [row for row in found if row.state in sql.WAITING])
    asked = [row for row in found if row.state == State.RUNNING]
    if asked and running != "no":
        how = {"b_how": CANCEL_KILL if running == "kill" else CANCEL_ASK}
        change_each(connection, sql.REQUEST_CANCEL, [_key(row) | how for row in asked])
    return {row.id: State.CANCELLED if row.state in sql.WAITING else row.state for row in found}


def cancel_waiting(connection: Connection, rows: Sequence[AnyRow]) -> None:
    """Cancel jobs that wait, given as locked rows with seq, attempt and queue."""
    if rows:
        change_each(connection, sql.CANCEL_WAITING, [_key(row) for row in rows])
        tallying.add(connection, [(row.queue, State.CANCELLED) for row in rows])


def cancel_unwanted(connection: Connection, seqs: Iterable[int]) -> set[int]:
    """Cancel those that wait again although somebody asked for their end while they ran."""
    unwanted = [
        row
        for chunk in padded_chunks(seqs)
        for row in connection.execute(sql.LOCK_UNWANTED, {"b_seqs": chunk})
    ]
    cancel_waiting(connection, unwanted)
    return {row.seq for row in unwanted}


def retry(connection: Connection, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, State]:
    """Make failed and cancelled jobs ready again."""
    found = list(_by_id(connection, sql.LOCK_BY_ID, job_ids))
    again = [row for row in found if row.state in states_before(Resubmitted)]
    if again:
        change_each(connection, sql.RESUBMIT, [_key(row) for row in again])
        tallying.subtract(connection, [(row.queue, row.state) for row in again])
    ready = {row.id for row in again}
    return {row.id: State.READY if row.id in ready else row.state for row in found}


def _insert(connection: Connection, jobs: Sequence[NewJob]) -> int:
    if not jobs:
        return 0
    insert = sql.insert_new(connection.dialect.name)
    return execute_many(connection, insert, [_parameters(new) for new in jobs])


def _by_id(
    connection: Connection, statement: Any, job_ids: Iterable[uuid.UUID]
) -> Iterator[AnyRow]:
    # Each id once: a job that is given twice must not be changed or counted twice.
    for chunk in padded_chunks(dict.fromkeys(job_ids)):
        yield from connection.execute(statement, {"b_ids": chunk})


def _key(row: AnyRow) -> dict[str, int]:
    return {"b_seq": row.seq, "b_number": row.attempt}


def _parameters(new: NewJob) -> dict[str, Any]:
    policy = new.policy
    delay = milliseconds(policy.delay) if policy.delay else 0
    return {
        "b_id": new.id.bytes,
        "b_task": new.task,
        "b_queue": policy.queue,
        "b_priority": policy.priority,
        "b_state": _SCHEDULED if delay else _READY,
        "b_payload": new.payload,
        "b_policy": policy_text(policy),
        "b_delay": delay or None,
        "b_idempotent": int(policy.idempotent),
    }
