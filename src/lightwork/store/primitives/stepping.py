"""Stepping: one primitive inside of a transaction: events go in, the new state and answers come out.

What is stepped is written by `save`, all of it, or not at all.
"""

import uuid
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.sql.dml import UpdateBase

from lightwork.errors import StoreError, UsageError
from lightwork.machines.shapes import Answer, Caller, Event, Lost
from lightwork.store.primitives import statements as sql
from lightwork.store.primitives.cells import RowCells
from lightwork.store.primitives.kinds import kind_of, packed
from lightwork.store.sql.rows import AnyRow
from lightwork.store.sql.spelling import Spelling


class Note(NamedTuple):
    """What is written beside a new state, and the values of that."""

    statements: Sequence[UpdateBase] = ()
    values: Mapping[str, Any] = MappingProxyType({})


NO_NOTE: Final = Note()


class Stepping:
    """A primitive that was read, and what has become of it since.

    Args:
        connection: In a transaction, which has locked it if it is to be saved.
        row: Its kind, state and version.
    """

    def __init__(self, connection: Connection, primitive: uuid.UUID, row: AnyRow) -> None:
        self._connection = connection
        self._id = primitive.bytes
        self._version = row.version
        self._kind = kind_of(row.kind)
        self._before = self.state = self._kind.state_of(row.state)
        self._cells = RowCells(connection, self._id)
        self._answers: list[Answer] = []

    @property
    def is_changed(self) -> bool:
        """Whether there is anything to save."""
        return self.state != self._before or self._cells.is_changed

    def step(self, event: Event) -> None:
        """Hand one event in.

        Raises:
            UsageError: The machine knows no such verb.
        """
        try:
            self.state, answers = self._kind.machine.step(self.state, self._cells, event)
        except AssertionError as error:
            raise UsageError(str(error)) from error
        self._answers += answers

    def take_answer(self, caller: Caller) -> Answer | None:
        """Return what a caller is answered, who is told of it otherwise; None: it waits."""
        mine = [answer for answer in self._answers if answer.caller == caller]
        self._answers = [answer for answer in self._answers if answer.caller != caller]
        return mine[-1] if mine else None

    def lose(self) -> None:
        """Hand in the loss of every session that may hold or wait here and is over."""
        values = {"b_primitive": self._id}
        for session in self._connection.scalars(sql.LOST, values).all():
            if _is_over(self._connection, session.bytes):
                self.lose_session(session.bytes)

    def lose_session(self, session: bytes) -> None:
        """Hand in the loss of one session."""
        self.step(Lost(session))
        values = {"b_primitive": self._id, "b_session": session}
        self._connection.execute(sql.LEAVE, values)

    def save(self, spelling: Spelling, note: Note = NO_NOTE) -> bool:
        """Write what has changed, the note, and the answers of those who wait; return whether there are any.

        Raises:
            StoreError: Another program changed it without the lock.
        """
        statements, values = [*note.statements], {**note.values, "b_primitive": self._id}
        answers = [_answer_values(self._id, answer) for answer in self._answers]
        if self.is_changed:
            if answers:
                # Of many the first, nearly always the only one.
                statements.append(sql.ANSWER)
                values |= answers.pop(0)
            self._save_state(spelling, statements, values)
        else:
            for statement in statements:
                self._connection.execute(statement, values)
        for answer in answers:
            self._connection.execute(sql.ANSWER, answer)
        return bool(self._answers)

    def _save_state(
        self, spelling: Spelling, others: Sequence[UpdateBase], values: Mapping[str, Any]
    ) -> None:
        statement = sql.SAVE_GRANTED if _token(self.state) != _token(self._before) else sql.SAVE
        all_values = {
            **values,
            "b_version": self._version,
            "b_state": self._kind.bytes_of(self.state),
        }
        if spelling.write_together(self._connection, statement, others, all_values) != 1:
            raise StoreError(
                "a primitive was locked to be changed, and another program changed it without the lock; "
                "nothing was written, try again"
            )
        if self._cells.is_changed:
            self._cells.write(spelling)


def locked(connection: Connection, primitive: uuid.UUID) -> Stepping | None:
    """Return a primitive, which nobody else changes until this transaction ends; None: there is none."""
    row = connection.execute(sql.LOCK, {"b_primitive": primitive.bytes}).one_or_none()
    return None if row is None else Stepping(connection, primitive, row)


def _is_over(connection: Connection, session: bytes) -> bool:
    """End a session whose lease ran out; False: it was renewed meanwhile."""
    values = {"b_session": session}
    if connection.execute(sql.END_IF_OVER, values).rowcount == 1:
        return True
    return connection.scalar(sql.SESSION, values) is None


def _token(state: Any) -> int:
    return int(getattr(state, "token", 0))


def _answer_values(primitive: bytes, answer: Answer) -> dict[str, Any]:
    return {
        "b_primitive": primitive,
        "b_to_session": answer.caller.session,
        "b_to_thread": answer.caller.thread,
        "b_answer": packed(answer.value),
        "b_answer_refused": answer.refused,
    }
