"""Keeping: primitives are made, listed, taken from their holders, removed and pruned."""

import itertools
import uuid
from typing import Any

from sqlalchemy import Connection

from lightwork.errors import StoreError, UsageError
from lightwork.machines.holding import holders_of, token_of, waiting_of
from lightwork.machines.shapes import Ask, Caller
from lightwork.store.contracts.primitives import HolderView, PrimitiveView
from lightwork.store.primitives import statements as sql
from lightwork.store.primitives.kinds import (
    arguments_of,
    digest,
    kind_of,
    primitive_id,
)
from lightwork.store.primitives.stepping import locked
from lightwork.store.sql.in_lists import padded_chunks
from lightwork.store.sql.rows import AnyRow, instant
from lightwork.store.sql.spelling import Spelling
from lightwork.store.tables.primitives import primitive

_LONGEST_NAME = 200
# Whoever takes a lock from its holder from outside; no session has this id.
_NOBODY = Caller(bytes(16), 0)


def is_there(connection: Connection, kind: str, name: str, spec: bytes) -> bool:
    """Return whether there is such a primitive, made with this spec.

    Raises:
        UsageError: It was made with another.
    """
    values = {"b_primitive": primitive_id(kind, name).bytes}
    found = connection.scalar(sql.SPEC, values)
    if found is not None and bytes(found) != digest(spec):
        raise UsageError(
            f"the {kind} {name!r} was made with other arguments; use those with which it was first made, "
            "or another name"
        )
    return found is not None


def make(
    connection: Connection,
    spelling: Spelling,
    kind: str,
    name: str,
    spec: bytes,
    *,
    is_named: bool,
) -> None:
    """Make one where there is none; of two who do so at once the second finds the first one's."""
    known = kind_of(kind)
    # PostgreSQL keeps a NUL in no text.
    if not 0 < len(name) <= _LONGEST_NAME or "\0" in name:
        raise UsageError(
            f"the name of a primitive has 1 to {_LONGEST_NAME} characters and no NUL; seen: "
            f"{len(name)} characters, {name!r:.100}"
        )
    row = {
        "b_id": primitive_id(kind, name).bytes,
        "b_kind": kind,
        "b_name": name,
        "b_is_named": int(is_named),
        "b_spec": digest(spec),
        "b_state": known.bytes_of(known.machine.begin(arguments_of(spec))),
        "b_version": 0,
        "b_changed_at": connection.scalar(sql.TIME),
        "b_granted_at": None,
    }
    spelling.insert_missing(connection, primitive, [row])
    is_there(connection, kind, name, spec)


def views(
    connection: Connection, kind: str | None, name: str | None, limit: int
) -> list[PrimitiveView]:
    """Return the primitives that there are, by kind and name."""
    listed = sql.LIST.limit(limit)
    if kind is not None:
        listed = listed.where(primitive.c.kind == kind)
    if name is not None:
        listed = listed.where(primitive.c.name == name)
    rows = connection.execute(listed).all()
    states = [_shown(row) for row in rows]
    holders = [holders_of(state) for state in states]
    sessions = _sessions(connection, set(itertools.chain.from_iterable(holders)))
    return [
        PrimitiveView(
            kind=row.kind,
            name=row.name,
            holders=tuple(_holder(session, sessions) for session in some),
            token=token_of(state),
            waiting=waiting_of(state),
            since=None if row.granted_at is None else instant(row.granted_at),
            changed_at=instant(row.changed_at),
        )
        for row, state, some in zip(rows, states, holders, strict=True)
    ]


def break_lock(connection: Connection, spelling: Spelling, name: str) -> bool:
    """Take a lock from its holder; False: nobody held it."""
    found = locked(connection, primitive_id("lock", name))
    if found is None:
        raise UsageError(f"there is no lock {name!r}; `lightwork locks` lists those that there are")
    found.step(Ask(_NOBODY, "break"))
    answer = found.take_answer(_NOBODY)
    found.save(spelling)
    return answer is not None and bool(answer.value)


def remove(connection: Connection, kind: str, name: str) -> bool:
    """Forget a primitive; False: there is none."""
    return _remove(connection, primitive_id(kind, name), sql.LOCK)


def unused(connection: Connection, limit: int) -> list[uuid.UUID]:
    """Return unnamed primitives that nobody has changed for a day, and no session uses."""
    return list(connection.scalars(sql.UNUSED, {"b_limit": limit}))


def remove_unused(connection: Connection, found: uuid.UUID) -> bool:
    """Forget one of those, if it still is so."""
    return _remove(connection, found, sql.LOCK_UNUSED)


def _remove(connection: Connection, found: uuid.UUID, lock: Any) -> bool:
    values = {"b_primitive": found.bytes}
    if connection.execute(lock, values).one_or_none() is None:
        return False
    for statement in sql.REMOVE:
        connection.execute(statement, values)
    return True


def _shown(row: AnyRow) -> Any:
    """Return the state of a row; None: it is damaged, or of a newer program's kind."""
    try:
        return kind_of(row.kind).state_of(row.state)
    except (StoreError, UsageError):
        return None


def _sessions(connection: Connection, sessions: set[bytes]) -> dict[bytes, AnyRow]:
    return {
        row.id.bytes: row
        for chunk in padded_chunks(sorted(sessions))
        for row in connection.execute(sql.HOLDERS, {"b_sessions": chunk})
    }


def _holder(session: bytes, known: dict[bytes, AnyRow]) -> HolderView:
    row = known.get(session)
    short = session.hex()[:8]
    if row is None:
        return HolderView(host="", pid=0, session=short, is_live=False)
    return HolderView(host=row.host, pid=row.pid, session=short, is_live=bool(row.is_live))
