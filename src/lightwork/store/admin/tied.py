"""Tied: what jobs have beside their rows, as it is shown: tags, limits, a unique key. Only reads.

`job.ties` says of which kinds a job has any, so a page of jobs without them costs no read more.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, Literal, NamedTuple, TypedDict

from sqlalchemy import Connection, bindparam, select

from lightwork.store.operations.bounds.declared import read_limits
from lightwork.store.sql.in_lists import padded_chunks
from lightwork.store.sql.rows import AnyRow, number_of, text_of
from lightwork.store.sql.states import AMONG
from lightwork.store.tables.clock_sql import NOW
from lightwork.store.tables.jobs import (
    TIE_FOR_PERIOD,
    TIE_LIMITED,
    TIE_TAGGED,
    TIE_UNTIL_BEGIN,
    TIE_UNTIL_END,
    tag,
)
from lightwork.store.tables.limits import WAITS, limit_use
from lightwork.store.tables.queues import unique_key
from lightwork.store.tables.types import Id, id_of
from lightwork.store.views import LimitView, UniqueView

_UNTIL: Final[Mapping[int, Literal["begin", "end", "period"]]] = {
    TIE_FOR_PERIOD: "period",
    TIE_UNTIL_BEGIN: "begin",
    TIE_UNTIL_END: "end",
}
_UNIQUE: Final = TIE_UNTIL_BEGIN | TIE_UNTIL_END | TIE_FOR_PERIOD
_TAGS: Final = select(tag.c.seq, tag.c.name).where(tag.c.seq.in_(AMONG)).order_by(tag.c.seq)
_WAITS: Final = select(limit_use.c.seq, limit_use.c.key).where(
    limit_use.c.seq.in_(AMONG), limit_use.c.stage == WAITS
)
_HELD: Final = select(unique_key.c.job, unique_key.c.key).where(
    unique_key.c.job.in_(bindparam("b_ids", expanding=True, type_=Id)),
    unique_key.c.expires_at.is_(None) | (unique_key.c.expires_at > NOW),
)


class Shown(TypedDict):
    """What a JobView has of it."""

    tags: tuple[str, ...]
    limits: tuple[LimitView, ...]
    unique: UniqueView | None


class Tied(NamedTuple):
    """What was read for some jobs: tags by seq, limits that have no room for one, keys that are held."""

    tags: Mapping[int, tuple[str, ...]]
    waits: frozenset[tuple[int, str]]
    held: Mapping[uuid.UUID, bytes]

    def of(self, row: AnyRow) -> Shown:
        """Return what is shown of one of the jobs."""
        return Shown(
            tags=self.tags.get(row.seq, ()), limits=self._limits(row), unique=self._unique(row)
        )

    def _limits(self, row: AnyRow) -> tuple[LimitView, ...]:
        return tuple(
            LimitView(
                key=one.key,
                running=one.cap,
                rate=one.rate,
                burst=one.burst,
                waits=(row.seq, one.key) in self.waits,
            )
            for one in read_limits(row.limits)
        )

    def _unique(self, row: AnyRow) -> UniqueView | None:
        its_ties = number_of(row.ties)
        if not its_ties & _UNIQUE:
            return None
        held = self.held.get(id_of(row.id))
        key = held or row.unique_key
        return UniqueView(
            key=key.hex() if isinstance(key, bytes) else "",
            until=next(until for tie, until in _UNTIL.items() if its_ties & tie),
            is_held=held is not None,
        )


def read_tied(connection: Connection, rows: Sequence[AnyRow]) -> Tied:
    """Read what these rows of jobs have beside them."""
    tagged, limited = _with(rows, TIE_TAGGED), _with(rows, TIE_LIMITED)
    unique = [id_of(row.id) for row in rows if number_of(row.ties) & _UNIQUE]
    tags = groupby(_read(connection, _TAGS, "b_seqs", tagged), lambda row: row.seq)
    waits = _read(connection, _WAITS, "b_seqs", limited)
    held = _read(connection, _HELD, "b_ids", unique)
    return Tied(
        tags={seq: tuple(sorted(text_of(row.name) for row in some)) for seq, some in tags},
        waits=frozenset((row.seq, text_of(row.key)) for row in waits),
        held={row.job: row.key for row in held if isinstance(row.key, bytes)},
    )


def _with(rows: Iterable[AnyRow], tie: int) -> list[int]:
    return [row.seq for row in rows if number_of(row.ties) & tie]


def _read(
    connection: Connection, statement: Any, name: str, values: Iterable[Any]
) -> Iterable[AnyRow]:
    for chunk in padded_chunks(values):
        yield from connection.execute(statement, {name: chunk})
