"""Cells: what is large of a machine's state, as rows that are read and written one by one.

What a step changes is kept until `write`; so a step that is only looked at writes nothing. A step that
reads many mostly reads them in the order in which they were made: so the second that is read brings those behind
it, and each further one that was not brought more of them.
"""

from collections.abc import Iterator, MutableMapping
from typing import Any, Final

from sqlalchemy import Connection

from lightwork.store.primitives import statements as sql
from lightwork.store.primitives.kinds import digest
from lightwork.store.sql.in_lists import padded_chunks
from lightwork.store.sql.spelling import Spelling

_GONE: Final = None
# Cells that are read at once: four times as many each time.
_MOST_READ: Final = 256


class RowCells(MutableMapping[bytes, bytes]):
    """The cells of one primitive, which the transaction has locked or only reads."""

    def __init__(self, connection: Connection, primitive: bytes) -> None:
        self._connection = connection
        self._primitive = primitive
        # What was read, and what it has become; None: no such cell.
        self._read: dict[bytes, bytes | None] = {}
        self._changed: dict[bytes, bytes | None] = {}
        self._read_at_once = 1

    @property
    def is_changed(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._changed)

    def __getitem__(self, key: bytes) -> bytes:
        value = self._changed[key] if key in self._changed else self._stored(key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._changed[key] = value

    def __delitem__(self, key: bytes) -> None:
        self[key]
        self._changed[key] = _GONE

    def __iter__(self) -> Iterator[bytes]:
        stored = self._connection.scalars(sql.CELL_KEYS, {"b_primitive": self._primitive}).all()
        yield from (key for key in stored if self._changed.get(key, b"") is not _GONE)
        known = set(stored)
        yield from (
            key for key, value in self._changed.items() if key not in known and value is not _GONE
        )

    def __len__(self) -> int:
        if not self._changed:
            return self._connection.scalar(sql.COUNT_CELLS, {"b_primitive": self._primitive}) or 0
        return sum(1 for _ in self)

    def write(self, spelling: Spelling) -> None:
        """Write what was changed."""
        there = self._there()
        rows = [
            {
                "b_primitive": self._primitive,
                "b_hash": digest(key),
                "b_key": key,
                "b_value": value,
            }
            for key, value in self._changed.items()
        ]
        self._execute(spelling, sql.DELETE_CELL, [r for r in rows if r["b_value"] is _GONE])
        kept = [row for row in rows if row["b_value"] is not _GONE]
        self._execute(spelling, sql.CHANGE_CELL, [r for r in kept if r["b_hash"] in there])
        self._execute(spelling, sql.ADD_CELL, [r for r in kept if r["b_hash"] not in there])
        self._read.update(self._changed)
        self._changed.clear()

    def _execute(self, spelling: Spelling, statement: Any, rows: list[dict[str, Any]]) -> None:
        if rows:
            spelling.execute_many(self._connection, statement, rows)

    def clear(self) -> None:
        """Take all of them out."""
        self._changed = dict.fromkeys(list(self), _GONE)

    def _stored(self, key: bytes) -> bytes | None:
        if key not in self._read:
            # Whatever the answer brings, this one is known then.
            self._read[key] = None
            values = {
                "b_primitive": self._primitive,
                "b_hash": digest(key),
                "b_limit": self._read_at_once,
            }
            for found, value in self._connection.execute(sql.CELLS_FROM, values):
                self._read[found] = value
            self._read_at_once = min(self._read_at_once * 4, _MOST_READ)
        return self._read[key]

    def _there(self) -> set[bytes]:
        """Return the hashes of those among the changed that have a row."""
        hashes = [digest(key) for key in self._changed]
        return {
            found
            for chunk in padded_chunks(hashes)
            for found in self._connection.scalars(
                sql.CELLS_THERE, {"b_primitive": self._primitive, "b_hashes": chunk}
            )
        }
