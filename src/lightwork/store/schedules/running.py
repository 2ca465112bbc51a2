"""Running: the jobs of schedules that are due, and of one that somebody wants now.

Functions of a connection, inside a transaction that the caller began.
"""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection

from lightwork.errors import BadSchedule
from lightwork.model import NewJob
from lightwork.schedule.ids import job_id_of
from lightwork.schedule.rules import Rule
from lightwork.schedule.turns import Turn, count_times, take_turn
from lightwork.store.operations.bounds import unique
from lightwork.store.operations.jobs import submit_among_others
from lightwork.store.schedules import statements as sql
from lightwork.store.schedules.rows import StoredSchedule, stored_of
from lightwork.store.sql.rows import CorruptRow, instant
from lightwork.store.sql.spelling import Spelling
from lightwork.store.views import ScheduledRun, SkippedTimes

log = logging.getLogger(__name__)

# Schedules that are read at once.
_BATCH: Final = 100
# Of one schedule of cron, when it is told how many due times were passed over.
_MOST_COUNTED: Final = 100
# By the name of a schedule, its rule, the first due time that was passed over, and before which the last is.
Passed: TypeAlias = dict[str, tuple[Rule, int, int]]


@dataclass(frozen=True, slots=True)
class _Made:
    """A job that is to be inserted."""

    run: ScheduledRun
    job: NewJob


def is_one_due(connection: Connection) -> bool:
    """Return whether run_due would find anything."""
    return bool(connection.scalar(sql.IS_ONE_DUE))


def run_due(
    connection: Connection, spelling: Spelling, limit: int, passed: Passed
) -> list[ScheduledRun]:
    """Make the jobs of schedules that are due, about so many; return those that are new."""
    # The transaction may run a second time.
    passed.clear()
    made: list[_Made] = []
    after = ""
    while len(made) < limit:
        rows = connection.execute(sql.DUE, {"b_after": after, "b_limit": _BATCH}).all()
        for row in rows:
            if len(made) >= limit:
                break
            try:
                found = stored_of(row)
            except (BadSchedule, CorruptRow) as error:
                # Others may be able to; and it must not keep those behind it from their turn.
                log.debug("schedule_unreadable schedule=%.200s error=%s", row.name, error)
            else:
                made += _take_turn(connection, found, limit - len(made), passed)
        if len(rows) < _BATCH:
            break
        after = rows[-1].name
    return _insert(connection, spelling, made)


def counted(passed: Passed) -> dict[str, SkippedTimes]:
    """Return how many due times were passed over, by the names of schedules. Needs no connection."""
    found: dict[str, SkippedTimes] = {}
    for name, (rule, first, before) in passed.items():
        count, is_all = count_times(rule, first, before, most=_MOST_COUNTED)
        found[name] = SkippedTimes(count=count, is_all=is_all, since=instant(first))
    return found


def run_now(
    connection: Connection, spelling: Spelling, name: str, job_id: uuid.UUID
) -> uuid.UUID | None:
    """Make a job of a schedule, whatever time it is.

    Returns:
        Its id, that of the job which holds the key instead, or None: there is no such schedule.
    """
    row = connection.execute(sql.LOCK_ONE, {"b_name": name}).one_or_none()
    if row is None:
        return None
    taken: unique.Taken = {}
    if any(_submit(connection, spelling, [_job(stored_of(row), job_id)], taken=taken)):
        connection.execute(sql.NOTE_RUN, {"b_name": name, "b_last_job": job_id})
    return taken.get(job_id, job_id)


def _take_turn(
    connection: Connection, found: StoredSchedule, most: int, passed: Passed
) -> list[_Made]:
    """Move a schedule on; return its jobs, none if somebody else has moved it."""
    turn, last_at = _turn_of(found, most)
    made = [_made(found, due_at) for due_at in turn.due]
    values: dict[str, Any] = {
        "b_name": found.name,
        "b_seen": found.next_at,
        "b_next_at": turn.next_at,
        "b_last_at": last_at,
    }
    statement = sql.MOVE_ON
    if made:
        statement, values["b_last_job"] = sql.MOVE_ON_WITH_JOB, made[-1].job.id
    if connection.execute(statement, values).rowcount != 1:
        return []
    if turn.skipped is not None:
        passed[found.name] = (found.rule, *turn.skipped)
    return made


def _turn_of(found: StoredSchedule, most: int) -> tuple[Turn, int | None]:
    """Return what is to be done about a schedule, and the due time of its last job after that."""
    if found.next_at is None or found.next_at > found.now:
        # Its last job is of the future: since then somebody has put the clock back.
        return Turn((), found.rule.next_after(found.now, found.now)), None
    turn = take_turn(found.rule, found.next_at, found.now, catch_up=found.catch_up, most=most)
    return turn, turn.due[-1] if turn.due else found.last_at


def _made(found: StoredSchedule, due_at: int) -> _Made:
    job = _job(found, job_id_of(found.name, due_at))
    return _Made(ScheduledRun(schedule=found.name, job_id=job.id, due_at=due_at), job)


def _insert(
    connection: Connection, spelling: Spelling, made: Sequence[_Made]
) -> list[ScheduledRun]:
    are_new = _submit(connection, spelling, [one.job for one in made])
    runs = [one.run for one, is_new in zip(made, are_new, strict=True) if is_new]
    if runs:
        marks = [{"b_id": run.job_id.bytes, "b_due_at": run.due_at} for run in runs]
        spelling.execute_many(connection, sql.MARK_DUE, marks)
    return runs


def _submit(
    connection: Connection,
    spelling: Spelling,
    jobs: Sequence[NewJob],
    *,
    taken: unique.Taken | None = None,
) -> list[bool]:
    """Insert jobs, apart from those whose unique key another job holds: their due time is met by that.

    So it is where that job runs and cannot be replaced: one schedule must not hold up the others.
    """
    return unique.submit(
        connection,
        spelling,
        jobs,
        taken=taken,
        known=None,
        insert=submit_among_others,
        is_told=False,
    )


def _job(found: StoredSchedule, job_id: uuid.UUID) -> NewJob:
    key = found.unique
    if key is not None and key.on_conflict == "raise":
        # There is nobody to be told.
        key = key._replace(on_conflict="skip")
    return NewJob(
        id=job_id,
        task=found.task,
        payload=found.payload,
        policy=found.policy,
        unique=key,
        limits=found.limits,
    )
