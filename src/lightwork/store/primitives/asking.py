"""Asking: a request of a thread, from its question to its answer.

Functions of a connection, inside a transaction that the caller began. What they return beside a reply
says whether anybody is answered who waits: then those who wait are woken.
"""

import uuid
from typing import Final, NamedTuple

from sqlalchemy import Connection

from lightwork.errors import UsageError
from lightwork.machines.shapes import Answer, Ask, Caller, Withdraw
from lightwork.store.contracts.primitives import Reply, Request
from lightwork.store.primitives import statements as sql
from lightwork.store.primitives.kinds import READING, arguments_of, check_size, packed
from lightwork.store.primitives.stepping import Note, Stepping, locked
from lightwork.store.sql.rows import AnyRow
from lightwork.store.sql.spelling import Spelling
from lightwork.store.tables.primitives import ANSWERED, WAITS, WITHDRAWN

GONE: Final = Reply(outcome="gone")
LOST: Final = Reply(outcome="lost")
WAITING: Final = Reply(outcome="waits")
IS_WITHDRAWN: Final = Reply(outcome="withdrawn")


class Done(NamedTuple):
    """A reply, and whether others were answered who wait."""

    reply: Reply
    are_others_answered: bool = False


def look(connection: Connection, request: Request, verb: str, args: bytes) -> Reply | None:
    """Return the answer to a question that changes nothing, without a lock; None: ask."""
    row = connection.execute(sql.SEE, {"b_primitive": request.primitive.bytes}).one_or_none()
    if row is None or row.has_lost or (row.kind, verb) not in READING:
        return None
    seen = Stepping(connection, request.primitive, row)
    caller = _caller_of(request)
    seen.step(Ask(caller, verb, arguments_of(args)))
    answer = seen.take_answer(caller)
    if answer is None or seen.is_changed:
        return None
    return _answered(answer)


def ask(
    connection: Connection,
    spelling: Spelling,
    request: Request,
    question: tuple[str, bytes],
    *,
    largest: int,
) -> Done:
    """Hand a question in, unless it was handed in before; no value may have more than `largest` bytes.

    Raises:
        PayloadError: One has; nothing was changed.
        UsageError: The machine knows no such verb, or the thread waits for another answer.
    """
    verb, args = question
    check_size(args, largest, "was given")
    asked = locked(connection, request.primitive)
    if asked is None:
        return Done(GONE)
    row = _asker(connection, request)
    if row is None:
        return Done(LOST)
    if row.request is not None and row.request >= request.number:
        return Done(_reply_of(row, request))
    if row.status == WAITS:
        raise UsageError(
            "a thread waits for one answer at a time: withdraw its last request, or collect its answer"
        )
    if row.has_lost:
        asked.lose()
    caller = _caller_of(request)
    asked.step(Ask(caller, verb, arguments_of(args)))
    answer = asked.take_answer(caller)
    reply = WAITING if answer is None else _answered(answer)
    check_size(reply.value, largest, "is answered")
    note = _note(request, row, reply)
    if asked.is_changed and not row.is_member:
        note = note._replace(statements=(sql.JOIN, *note.statements))
    return Done(reply, asked.save(spelling, note))


def see(connection: Connection, request: Request) -> tuple[Reply, bool]:
    """Return what has become of a request, and whether there are lost sessions to be ended first."""
    row = _asker(connection, request)
    if row is None:
        return LOST, False
    return _reply_of(row, request), bool(row.has_lost)


def withdraw(connection: Connection, spelling: Spelling, request: Request) -> Done:
    """Take a request back; its answer, if it was given."""
    asked = locked(connection, request.primitive)
    row = _asker(connection, request)
    if row is None:
        return Done(LOST)
    if row.request is None or row.request < request.number:
        # It is still on its way, and comes too late.
        (statement,), values = _note(request, row, IS_WITHDRAWN)
        connection.execute(statement, values)
        return Done(IS_WITHDRAWN)
    reply = _reply_of(row, request)
    if asked is None or reply.outcome != "waits":
        return Done(reply)
    caller = _caller_of(request)
    if row.has_lost:
        asked.lose()
    answer = asked.take_answer(caller)
    if answer is None:
        asked.step(Withdraw(caller))
        answer = asked.take_answer(caller)
    reply = IS_WITHDRAWN if answer is None else _answered(answer)
    return Done(reply, asked.save(spelling, _note(request, row, reply)))


def settle(connection: Connection, spelling: Spelling, primitive: uuid.UUID) -> bool:
    """End the lost sessions of a primitive; return whether anybody was answered by that."""
    found = locked(connection, primitive)
    if found is None:
        return False
    found.lose()
    return found.save(spelling)


def _asker(connection: Connection, request: Request) -> AnyRow | None:
    return connection.execute(sql.ASKER, _values(request)).one_or_none()


def _reply_of(row: AnyRow, request: Request) -> Reply:
    """Return what a caller's row says of a request."""
    if row.request is None:
        # Its row went with the primitive.
        return GONE
    if row.request != request.number or row.status == WITHDRAWN:
        return IS_WITHDRAWN
    if row.status == WAITS:
        return WAITING
    return Reply(outcome="answered", value=row.value, refused=row.refused)


def _answered(answer: Answer) -> Reply:
    return Reply(outcome="answered", value=packed(answer.value), refused=answer.refused)


def _note(request: Request, row: AnyRow, reply: Reply) -> Note:
    """Return how it is kept what has become of a request, in place of the thread's last one."""
    status = {"answered": ANSWERED, "waits": WAITS, "withdrawn": WITHDRAWN}[reply.outcome]
    statement = sql.ADD_REQUEST if row.request is None else sql.NOTE_REQUEST
    values = {
        **_values(request),
        "b_request": request.number,
        "b_status": status,
        "b_value": reply.value,
        "b_refused": reply.refused,
    }
    return Note((statement,), values)


def _values(request: Request) -> dict[str, object]:
    return {
        "b_primitive": request.primitive.bytes,
        "b_session": request.session.bytes,
        "b_thread": request.thread,
    }


def _caller_of(request: Request) -> Caller:
    return Caller(request.session.bytes, request.thread)
