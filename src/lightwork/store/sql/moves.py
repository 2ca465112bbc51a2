"""Moves: a job leaves the table of one state for that of another.

    INSERT INTO outcome (seq, attempt, ..., result) SELECT seq, attempt, ..., ? FROM running WHERE guard
    DELETE FROM running WHERE guard

Which moves are legal, and where they lead, says lifecycle.TRANSITIONS, never this file. The
guard names the job, its attempt and, while it runs, its worker; whoever moves many looks at
the number of rows. Parameters are named `b_*`, because the bare names are columns. Where a DELETE
can tell what it has deleted, one statement moves: `taking` is that DELETE.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Delete, Insert, bindparam, case, cast, delete, insert, literal_column, select
from sqlalchemy.sql.dml import ReturningDelete
from sqlalchemy.sql.elements import ColumnElement, Null

from lightwork.lifecycle import Event, step
from lightwork.model import State
from lightwork.store.sql.states import word
from lightwork.store.tables.jobs import MOVING, TABLE_OF, job, ready
from lightwork.store.tables.types import LARGEST, Id

WORKER: Final = bindparam("b_worker", type_=Id)
# Servers refuse to overrun it, and with that the whole batch, again and again.
_LARGEST: Final[ColumnElement[int]] = literal_column(str(LARGEST))
# Where a job becomes ready, its lane.
_PLACE: Final[Mapping[str, ColumnElement[Any]]] = {
    "queue": job.c.queue,
    "task": job.c.task,
    "rank": case((job.c.priority > -_LARGEST, -job.c.priority), else_=_LARGEST),
}


@dataclass(frozen=True, slots=True)
class Move:
    """Two statements for each row of parameters, the insert first; both change as many rows.

    Attributes:
        insert: Puts the job into the table of its next state.
        delete: Takes it out of that where it was.
        taking: Does that, and returns what the insert inserts.
    """

    insert: Insert
    delete: Delete
    taking: ReturningDelete[Any]


def one_more(counter: ColumnElement[int]) -> ColumnElement[int]:
    """Return a counter plus one; a damaged one that has no room to grow holds up nobody."""
    return case((counter < _LARGEST, counter + 1), else_=counter)


def guard(state: State) -> tuple[ColumnElement[bool], ...]:
    """Return what must still be true of a job in this state: its number, its worker if it runs."""
    table = TABLE_OF[state]
    is_as_read = table.c.seq == bindparam("b_seq"), table.c.attempt == bindparam("b_number")
    if state is State.RUNNING:
        # IS NOT DISTINCT FROM: of a plain comparison PostgreSQL would walk all that the worker runs.
        return *is_as_read, table.c.worker.is_not_distinct_from(WORKER)
    return (*is_as_read, table.c.state == word(state)) if state.is_final else is_as_read


def move(before: State, event: type[Event], **changes: Any) -> Move:
    """Return how the event moves a job of this state, with the columns that it changes."""
    after = step(before, event)
    source, target = TABLE_OF[before], TABLE_OF[after]
    values = {name: source.c[name] for name in MOVING} | changes
    if after.is_final:
        values["state"] = word(after)
    if target is ready:
        values = {**_PLACE, **values}
    read = select(source.c.seq, *values.values()).where(*guard(before))
    leave = delete(source).where(*guard(before))
    take = leave
    if target is ready:
        read = read.join_from(source, job, job.c.seq == source.c.seq)
        take = take.where(job.c.seq == source.c.seq)
    return Move(
        insert(target).from_select(["seq", *values], read),
        leave,
        take.returning(
            source.c.seq, *(_typed(value, target.c[name]) for name, value in values.items())
        ),
    )


def _typed(value: ColumnElement[Any], column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a value as that of a column: a bare NULL would be text."""
    typed = cast(value, column.type) if isinstance(value, Null) else value
    return typed.label(column.name)
