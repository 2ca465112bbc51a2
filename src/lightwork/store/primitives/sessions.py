"""Sessions: the leases on which everything hangs that a process holds; see tables/primitives.py."""

import uuid

from sqlalchemy import Connection

from lightwork.errors import UsageError
from lightwork.store.contracts.primitives import SessionInfo
from lightwork.store.primitives import statements as sql
from lightwork.store.primitives.stepping import locked
from lightwork.store.sql.rows import milliseconds, storable
from lightwork.store.sql.spelling import Spelling


def begin(connection: Connection, session: SessionInfo, lease: float) -> None:
    """Give a session its lease; one that has it already, because its answer was lost, another.

    Raises:
        UsageError: Its lease ran out before.
    """
    if renew(connection, session.id, lease):
        return
    if connection.scalar(sql.SESSION, {"b_session": session.id.bytes}) is not None:
        raise UsageError(f"session {session.id} is over and never returns; begin one with a new id")
    values = {
        "b_session": session.id.bytes,
        "b_host": storable(session.host, 255),
        "b_pid": session.pid,
        "b_lease": milliseconds(lease),
    }
    connection.execute(sql.OPEN_SESSION, values)


def renew(connection: Connection, session_id: uuid.UUID, lease: float) -> bool:
    """Extend a live lease; False: there is none."""
    values = {"b_session": session_id.bytes, "b_lease": milliseconds(lease)}
    return connection.execute(sql.RENEW_SESSION, values).rowcount == 1


def end(connection: Connection, session_id: uuid.UUID) -> list[uuid.UUID]:
    """End a session; return where it may hold something or wait."""
    values = {"b_session": session_id.bytes}
    connection.execute(sql.END_SESSION, values)
    return list(connection.scalars(sql.PLACES, values))


def lose(
    connection: Connection, spelling: Spelling, session_id: uuid.UUID, primitive: uuid.UUID
) -> bool:
    """Take from an ended session what it holds at one place; return whether another is answered."""
    found = locked(connection, primitive)
    if found is None:
        return False
    found.lose_session(session_id.bytes)
    return found.save(spelling)


def forget_callers(connection: Connection, session_id: uuid.UUID) -> None:
    """Forget the requests of an ended session."""
    connection.execute(sql.FORGET_CALLERS, {"b_session": session_id.bytes})


def end_over(connection: Connection, limit: int) -> int:
    """End sessions whose lease ran out; return how many. What they hold is lost from now on."""
    over = connection.scalars(sql.OVER, {"b_limit": limit}).all()
    ended = sum(
        connection.execute(sql.END_IF_OVER, {"b_session": session.bytes}).rowcount
        for session in over
    )
    connection.execute(sql.FORGET_LOST_CALLERS)
    return ended


def is_one_over(connection: Connection) -> bool:
    """Return whether `end_over` would find anything."""
    is_over = connection.execute(sql.OVER, {"b_limit": 1}).first() is not None
    return is_over or connection.execute(sql.HAS_LOST_CALLER).first() is not None


def lost_places(connection: Connection, limit: int) -> list[uuid.UUID]:
    """Return primitives where a session may hold something or wait that is over."""
    return list(connection.scalars(sql.LOST_PLACES, {"b_limit": limit}))
