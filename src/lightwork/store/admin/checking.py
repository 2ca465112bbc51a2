"""Checking: is what the store holds what lightwork writes?

Each invariant is a condition that no row may meet, with the sentence that says
what it means. Reads the whole table: for a person who asks, not for a loop. What
can be wrong with a single value is for the database to say.
"""

from collections import Counter
from typing import Final, TypeAlias

from sqlalchemy import Connection, Table, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from lightwork.model import State
from lightwork.store.operations import counters
from lightwork.store.operations.bounds import slots, unique
from lightwork.store.operations.dependencies import heal
from lightwork.store.sql import dependencies
from lightwork.store.sql import upkeep as sql
from lightwork.store.sql.spelling import Spelling
from lightwork.store.sql.states import HAS_NO_JOB, HAS_TWO_STATES, IS_NOWHERE
from lightwork.store.tables.dependencies import dependency
from lightwork.store.tables.jobs import (
    STATE_TABLES,
    attempt,
    blocked,
    job,
    outcome,
    running,
    scheduled,
)

_EXAMPLES: Final = 5
_COUNTERS: Final = ("attempt", "failures", "crashes", "losses")
_Rule: TypeAlias = tuple[str, Table, ColumnElement[bool]]
_HEALED: Final[tuple[_Rule, ...]] = (
    ("jobs count what they wait for wrongly", blocked, dependencies.IS_MISCOUNTED),
    ("jobs wait for jobs that have ended", blocked, dependencies.IS_FORGOTTEN),
    ("jobs are blocked and wait for nothing", blocked, dependencies.WAITS_FOR_NOTHING),
)
_FORBIDDEN: Final[tuple[_Rule, ...]] = (
    ("jobs are in no state", job, IS_NOWHERE),
    *((f"jobs are {table.name} and something else, too", table, two) for table, two in HAS_TWO_STATES.items()),
    *((f"rows of {table.name} belong to no job", table, none) for table, none in HAS_NO_JOB.items() if table is not attempt),
    ("jobs are running without an attempt", running, running.c.attempt < 1),
    ("jobs are scheduled for no time", scheduled, scheduled.c.due_at.is_(None)),
    ("jobs have succeeded without a result", outcome, (outcome.c.state == State.SUCCEEDED) & outcome.c.result.is_(None)),
    *_HEALED,
    *(("jobs have a negative counter", table, or_(*(table.c[name] < 0 for name in _COUNTERS))) for table in STATE_TABLES),
    *(("jobs failed or crashed more often than they were attempted", table, table.c.failures + table.c.crashes + table.c.losses > table.c.attempt) for table in STATE_TABLES),
)  # fmt: skip


def problems(connection: Connection, spelling: Spelling) -> list[str]:
    """Return what is wrong, a sentence each."""
    return [
        *spelling.damage(connection),
        *(text for rule in _FORBIDDEN if (text := _broken(connection, *rule))),
        *_strays(connection),
        *_miscounts(connection),
        *unique.problems(connection),
        *slots.problems(connection),
    ]


def repair(connection: Connection, spelling: Spelling) -> list[str]:
    """Move damaged rows and what belonged to them, then count anew."""
    moved = spelling.repair(connection)
    forgotten = [text for rule in _HEALED if (text := _broken(connection, *rule))]
    heal(connection, spelling)
    if miscounts := _miscounts(connection):
        counters.recount(connection)
    return (
        moved
        + [f"{text}: put right" for text in forgotten + miscounts]
        + unique.repair(connection)
        + slots.repair(connection)
    )


def _broken(
    connection: Connection, meaning: str, table: Table, forbidden: ColumnElement[bool]
) -> str:
    seq = table.c.seq
    seqs = list(connection.scalars(select(seq).where(forbidden).order_by(seq).limit(_EXAMPLES)))
    if not seqs:
        return ""
    count = connection.scalar(select(func.count()).select_from(table).where(forbidden))
    return f"{count} {meaning}: seq {', '.join(map(str, seqs))}{' ...' * (count != len(seqs))}"


def _strays(connection: Connection) -> list[str]:
    strays = select(func.count()).select_from(attempt).where(HAS_NO_JOB[attempt])
    count = connection.scalar(strays)
    lonely = select(func.count()).select_from(dependency).where(dependencies.HAS_NO_CHILD)
    waits = connection.scalar(lonely)
    return [
        *([f"{count} ended attempts belong to no job"] if count else []),
        *([f"{waits} rows of dependency belong to no job"] if waits else []),
    ]


def _miscounts(connection: Connection) -> list[str]:
    rows = connection.execute(sql.FINISHED)
    actual = Counter({(queue, state): count for queue, state, count in rows})
    told = Counter({(row.queue, row.state): row.jobs for row in connection.execute(sql.TALLY)})
    return [
        f"the tally of queue {queue!r:.100} says {told[queue, state]} {state}, there are "
        f"{actual[queue, state]}"
        for queue, state in sorted(actual.keys() | told.keys(), key=str)
        if actual[queue, state] != told[queue, state]
    ]
