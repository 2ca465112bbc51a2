"""Listing: what a broker has, for people: a page of rows at a time, and the views made of them.

A row is (kind, name, spec, is_in_arena, ((pid, session, is_live), ...), token, waiting, since): plain, as it goes over
the socket. The spec is there of locks alone, whoever breaks one must know it. Of what is in the arena the
broker knows what its record says, not who waits in the kernel, nor since when it is held; nor who waits at a ring.

    after ("", "")  ──▶  at most ROWS rows, by kind and name  ──▶  after the last one ...  ──▶  (): that was all
"""

import heapq
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lightwork.machines.holding import holders_of, token_of, waiting_of
from lightwork.sync.broker.primitives import Primitive, Primitives
from lightwork.sync.broker.regions import Regions
from lightwork.sync.broker.sessions import Session
from lightwork.sync.broker.unnamed import Name

FIRST: Final = ("", "")
# Of one answer: the broker does nothing else meanwhile. Whatever names are as long as, and however many
# hold one thing: a page ends with the row that goes beyond ROOM.
ROWS: Final = 500
ROOM: Final = 64 << 10

Row = tuple[Any, ...]
_SHORT: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a primitive, or held it and died.

    Attributes:
        host: This machine; "": nobody knows who holds it.
        session: The beginning of the session's name; "": of what is in the arena, nobody knows.
        is_live: Else the next one who asks gets it.
    """

    host: str
    pid: int
    session: str
    is_live: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One primitive as people look at it: what a store's PrimitiveView says, as far as it is known.

    Attributes:
        token: Of the last grant; 0: there was none, or its kind has none.
        waiting: How many wait there; None: they wait in the kernel.
        since: When its last holder got it; None: nobody did, or nobody knows.
    """

    kind: str
    name: str
    holders: tuple[Holder, ...]
    token: int
    waiting: int | None
    since: datetime | None


def page(
    primitives: Primitives, regions: Regions, sessions: Mapping[bytes, Session], after: Name
) -> list[Row]:
    """Return the rows that come after a kind and name; none: there are no more."""
    names = {*primitives.by_place, *regions.by_place}
    rows: list[Row] = []
    size = 0
    for name in heapq.nsmallest(ROWS, (one for one in names if one > after)):
        primitive = primitives.by_place.get(name)
        row = _in_arena(regions, name) if primitive is None else _row(name, primitive, sessions)
        rows.append(row)
        size += len(name[1]) + sum(map(len, row[4])) * _SHORT
        if size > ROOM:
            break
    return rows


def _row(name: Name, primitive: Primitive, sessions: Mapping[bytes, Session]) -> Row:
    state = primitive.state
    holders = [(sessions[one].pid, one.hex()[:_SHORT], True) for one in holders_of(state)]
    spec = primitive.spec if name[0] == "lock" else ()
    waiting = waiting_of(state) if primitive.ring is None else None
    return (*name, spec, False, holders, token_of(state), waiting, primitive.granted_at)


def _in_arena(regions: Regions, name: Name) -> Row:
    if name[0] != "lock":
        # Memory: its lock is held only while it is read or written.
        return (*name, (), True, (), 0, None, None)
    token, pid, is_locked = regions.look(name)
    holders = [(pid, "", is_locked)] if pid or is_locked else []
    return (*name, regions.lock_spec(name), True, holders, token, None, None)


def view_of(row: Row) -> Listed:
    """Return what people see of a row."""
    kind, name, _, _, holders, token, waiting, since = row
    here = socket.gethostname()
    return Listed(
        kind=kind,
        name=name,
        holders=tuple(
            Holder(host=here if pid else "", pid=pid, session=session, is_live=is_live)
            for pid, session, is_live in holders
        ),
        token=token,
        waiting=waiting,
        since=None if since is None else datetime.fromtimestamp(since, UTC),
    )
