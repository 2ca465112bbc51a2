"""Checking: is what the store holds what lightwork writes?

Each invariant is a condition that no row may meet, with the sentence that says
what it means. Reads the whole table: for a person who asks, not for a loop. What
can be wrong with a single value is said in `damage.py`.
"""

import re
from collections import Counter
from typing import Final

from sqlalchemy import Connection, and_, exists, func, not_, or_, select
from sqlalchemy.sql.elements import ColumnElement

from lightwork.model import State
from lightwork.store import damage, tallying
from lightwork.store import statements as sql
from lightwork.store.tables import attempt, in_state, job, tally

_EXAMPLES: Final = 5
# As many as SQLite may tell: of a large index that is broken it would tell each row.
_FINDINGS: Final = 100
_ABOUT_AN_INDEX: Final = re.compile(
    r"(?:row \d+ missing from|wrong # of entries in|non-unique entry in) index (\w+)"
)
_FINAL: Final = in_state(*sql.FINALS)
_FORBIDDEN: Final[tuple[tuple[str, ColumnElement[bool]], ...]] = (
    ("are running, but no worker holds them", and_(in_state(State.RUNNING), job.c.worker.is_(None))),
    ("are not running, but a worker holds them", and_(not_(in_state(State.RUNNING)), job.c.worker.is_not(None))),
    ("are running without an attempt", and_(in_state(State.RUNNING), job.c.attempt < 1)),
    ("have ended, but nobody knows when", and_(_FINAL, job.c.finished_at.is_(None))),
    ("have not ended, but an end is recorded", and_(not_(_FINAL), job.c.finished_at.is_not(None))),
    ("are scheduled for no time", and_(in_state(State.SCHEDULED), job.c.due_at.is_(None))),
    ("have succeeded without a result", and_(in_state(State.SUCCEEDED), job.c.result.is_(None))),
    ("have a negative counter", or_(job.c.attempt < 0, job.c.failures < 0, job.c.crashes < 0, job.c.losses < 0)),
    ("failed or crashed more often than they were attempted", job.c.failures + job.c.crashes + job.c.losses > job.c.attempt),
)  # fmt: skip


def problems(connection: Connection) -> list[str]:
    """Return what is wrong, a sentence each."""
    return [
        *_damage(connection),
        *damage.problems(connection),
        *(text for rule in _FORBIDDEN if (text := _broken(connection, *rule))),
        *_strays(connection),
        *_miscounts(connection),
    ]


def repair(connection: Connection) -> list[str]:
    """Build broken indexes anew, move damaged rows and what belonged to them; count anew."""
    # First: through a broken index not even a row can be moved.
    moved = _rebuild_indexes(connection)
    moved += damage.repair(connection)
    moved += damage.move_strays(connection)
    if miscounts := _miscounts(connection):
        tallying.recount(connection)
    return moved + [f"{text}: put right" for text in miscounts]


def _damage(connection: Connection) -> list[str]:
    found = _integrity(connection)
    broken = sorted({index for text in found if (index := _index_in(text))})
    other = [text for text in found if not _index_in(text)]
    return [
        *(f"the file is damaged: {text}" for text in other),
        *(f"the index {index} is broken, --repair builds it anew" for index in broken),
    ]


def _rebuild_indexes(connection: Connection) -> list[str]:
    found = _integrity(connection)
    broken = sorted({index for text in found if (index := _index_in(text))})
    if len(broken) == 0 or not all(map(_index_in, found)):
        # Of a file that is damaged in its tables too, nothing may be written anew.
        return []
    for index in broken:
        connection.exec_driver_sql(f'REINDEX "{index}"')
    return [f"the index {index} was broken and is built anew" for index in broken]


def _integrity(connection: Connection) -> list[str]:
    """Return what SQLite finds wrong with the file, indexes included."""
    if connection.dialect.name != "sqlite":
        return []
    found = connection.exec_driver_sql(f"PRAGMA integrity_check({_FINDINGS})").scalars()
    # A broken CHECK is told below, with the jobs that break it.
    return [text for text in found if text != "ok" and not text.startswith("CHECK constraint")]


def _index_in(text: str) -> str:
    """Return the index that lacks a row or has one too many, "" if this is about something else."""
    said = _ABOUT_AN_INDEX.fullmatch(text)
    return said[1] if said else ""


def _broken(connection: Connection, meaning: str, forbidden: ColumnElement[bool]) -> str:
    seqs = list(
        connection.scalars(select(job.c.seq).where(forbidden).order_by(job.c.seq).limit(_EXAMPLES))
    )
    if not seqs:
        return ""
    count = connection.scalar(select(func.count()).select_from(job).where(forbidden))
    return f"{count} jobs {meaning}: seq {', '.join(map(str, seqs))}{' ...' * (count != len(seqs))}"


def _strays(connection: Connection) -> list[str]:
    count = connection.scalar(
        select(func.count())
        .select_from(attempt)
        .where(not_(exists().where(job.c.seq == attempt.c.seq)))
    )
    return [f"{count} ended attempts belong to no job"] if count else []


def _miscounts(connection: Connection) -> list[str]:
    finished = select(job.c.queue, job.c.state, func.count()).where(_FINAL)
    rows = connection.execute(finished.group_by(job.c.queue, job.c.state))
    actual = Counter({(queue, state): count for queue, state, count in rows})
    told = Counter({(row.queue, row.state): row.jobs for row in connection.execute(select(tally))})
    return [
        f"the tally of queue {queue!r:.100} says {told[queue, state]} {state}, there are "
        f"{actual[queue, state]}"
        for queue, state in sorted(actual.keys() | told.keys(), key=str)
        if actual[queue, state] != told[queue, state]
    ]
