"""Spelling of MariaDB and MySQL, which have no ON CONFLICT DO NOTHING.

Their INSERT IGNORE would hide other errors as well, and ON DUPLICATE KEY UPDATE counts a row that it
leaves as it is like one that it inserts. So an id that is known is an error of the statement,
which leaves the transaction as it was.

Nor is a new job read by the INSERT that puts it where it waits: in a transaction that repeats reads,
as those of users do unless they say otherwise, such an INSERT locks the gaps beside
what it reads, and with that every other submit until the user commits.

Many rows come as one JSON document, of which JSON_TABLE makes a table (server/together.py): the driver
sends a statement for each row, where it cannot write many VALUES.
"""

import functools
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import (
    Column,
    Connection,
    Dialect,
    Float,
    FromClause,
    Insert,
    Integer,
    LargeBinary,
    Select,
    Table,
    bindparam,
    column,
    exc,
    insert,
    select,
    text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.types import TypeEngine

from lightwork.store.mariadb.errors import DUPLICATE, number_of
from lightwork.store.server.together import parameters_of, selected, together
from lightwork.store.sql import upkeep
from lightwork.store.sql.in_lists import padded_chunks
from lightwork.store.sql.jobs import BY_ID, MAKE_READY, NEW_JOB, SCHEDULE
from lightwork.store.sql.lanes import next_lanes
from lightwork.store.sql.many import Row
from lightwork.store.sql.rollups import NEW
from lightwork.store.sql.spelling import Spelling, Values
from lightwork.store.tables.jobs import job, ready, scheduled
from lightwork.store.tables.rollups import rollup
from lightwork.store.tables.types import Id
from lightwork.store.views import TableSize

_add_rollup = mysql.insert(rollup).values(NEW)
_KNOWN: Final = select(job.c.id).where(BY_ID)
_NEW: Final = select(job.c.id, job.c.seq, job.c.created_at).where(BY_ID)
_PUT_READY: Final = insert(ready).values(
    {name: bindparam(f"b_{name}") for name in ("seq", "queue", "task", "rank")}
)
_PUT_SCHEDULED: Final = insert(scheduled).values(
    {name: bindparam(f"b_{name}") for name in ("seq", "due_at")}
)
# A read that locks sees what others have committed since.
_KNOWN_NOW: Final = _KNOWN.with_for_update(read=True)

_NEXT: Final = text(
    "SELECT auto_increment FROM information_schema.tables "
    "WHERE table_schema = database() AND table_name = :b_table"
)

_SIZES: Final = text(
    "SELECT table_name AS name, table_rows AS table_rows, data_length AS data_length, index_length "
    "AS index_length FROM information_schema.tables WHERE table_schema = database()"
)


# Of one statement; far below the smallest max_allowed_packet that servers have.
_MOST_ROWS: Final = 500
_MOST_BYTES: Final = 1 << 20
# Seeks in one statement; it takes no more than 61 tables in a join, and these are none.
_MOST_SEEKS: Final = (1, 10, 50)
_BYTES: Final = (LargeBinary, Id)
_TEXT: Final = "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"


class MariaSpelling(Spelling):
    """What MariaDB says differently."""

    insert_new = insert(job).from_select(list(NEW_JOB), selected(NEW_JOB, job))
    add_rollup = _add_rollup.on_duplicate_key_update(
        jobs=rollup.c.jobs + _add_rollup.inserted.jobs,
        total_ms=rollup.c.total_ms + _add_rollup.inserted.total_ms,
    )

    def execute_many(
        self, connection: Connection, statement: UpdateBase, rows: Sequence[Row]
    ) -> int:
        """Say of new jobs of which one is known that none was inserted."""
        if statement is MAKE_READY or statement is SCHEDULE:
            return self._put(connection, statement, rows)
        try:
            if len(rows) < 2 or not _takes_a_table(statement):
                return super().execute_many(connection, statement, rows)
            return self._execute_together(connection, statement, rows)
        except exc.IntegrityError as error:
            if statement is self.insert_new and number_of(error) == DUPLICATE:
                return 0
            raise

    def _put(self, connection: Connection, statement: UpdateBase, rows: Sequence[Row]) -> int:
        """Put jobs that this transaction has inserted where they wait."""
        ids = [uuid.UUID(bytes=row["b_id"]) for row in rows]
        found = {
            job_id.bytes: {"b_seq": seq, "b_created_at": created_at}
            for chunk in padded_chunks(ids)
            for job_id, seq, created_at in connection.execute(_NEW, {"b_ids": chunk})
        }
        put = [{**row, **found[row["b_id"]]} for row in rows]
        if statement is MAKE_READY:
            put = [{**row, "b_rank": -row["b_priority"]} for row in put]
            return super().execute_many(connection, _PUT_READY, put)
        put = [{**row, "b_due_at": _due_at(row)} for row in put]
        return super().execute_many(connection, _PUT_SCHEDULED, put)

    def _execute_together(
        self, connection: Connection, statement: UpdateBase, rows: Sequence[Row]
    ) -> int:
        names, whole = _together(statement, connection.dialect)
        changed = 0
        for first in range(0, len(rows), _MOST_ROWS):
            part = [[row[name] for name in names] for row in rows[first : first + _MOST_ROWS]]
            encoded = msgspec.json.encode(part)
            if len(encoded) > _MOST_BYTES:
                some = rows[first : first + _MOST_ROWS]
                changed += super().execute_many(connection, statement, some)
            else:
                changed += super().execute_many(connection, whole, [{"b_rows": encoded}])
        return changed

    def insert_into(self, table: Table) -> Insert:
        """Return an INSERT that leaves known keys as they are.

        It locks them as a change does: of two who find one by an error, and lock it to
        read it then, one would fail.
        """
        return _insert_into(table)

    def insert_unknown(self, connection: Connection, rows: Sequence[Row]) -> set[uuid.UUID]:
        """Look first, and where a snapshot hides an id that is known, look past it.

        That is the user's own, of REPEATABLE READ. Who inserts the same id meanwhile makes this
        fail, and it runs again.
        """
        for known in (_KNOWN, _KNOWN_NOW):
            ids = self._unknown(connection, known, rows)
            savepoint = connection.begin_nested()
            try:
                new = [row for row in rows if row["b_id"] in ids]
                if len(new) > 1:
                    self._execute_together(connection, self.insert_new, new)
                elif new:
                    super().execute_many(connection, self.insert_new, new)
            except exc.IntegrityError as error:
                if known is _KNOWN_NOW or number_of(error) != DUPLICATE:
                    raise
                # Of many rows some may have been inserted before it was found.
                savepoint.rollback()
            else:
                savepoint.commit()
                break
        return {uuid.UUID(bytes=job_id) for job_id in ids}

    def _unknown(
        self, connection: Connection, known: Select[Any], rows: Sequence[Row]
    ) -> set[bytes]:
        ids = [uuid.UUID(bytes=row["b_id"]) for row in rows]
        found = (
            job_id
            for chunk in padded_chunks(ids)
            for job_id in connection.scalars(known, {"b_ids": chunk})
        )
        return {one.bytes for one in set(ids).difference(found)}

    def sizes(self, connection: Connection) -> Mapping[str, TableSize]:
        """Return what its statistics tell."""
        return {
            row.name: TableSize(
                rows=row.table_rows or 0,
                size=(row.data_length or 0) + (row.index_length or 0),
                index_size=row.index_length or 0,
            )
            for row in connection.execute(_SIZES)
        }

    def last_number(self, connection: Connection, column: Column[Any]) -> int:
        """Return the number before the one that comes next."""
        following = connection.scalar(_NEXT, {"b_table": column.table.name})
        return max((following or 1) - 1, super().last_number(connection, column))

    def go_on_after(self, connection: Connection, column: Column[Any], number: int) -> None:
        """Alter the table, which ends the transaction."""
        connection.exec_driver_sql(
            f"ALTER TABLE `{column.table.name}` AUTO_INCREMENT = {int(number) + 1}"
        )

    def waiting_lanes(self, connection: Connection, keys: Sequence[str]) -> list[tuple[str, int]]:
        """Ask for one lane of each key after the other.

        In a recursion, of which it does not know the values before, it would walk over all that
        waits: of 100,000 jobs 100 ms, by this 1.
        """
        found: list[tuple[str, int]] = []
        last = [(key, -1) for key in keys]
        while last:
            following: list[tuple[str, int]] = []
            for some in padded_chunks(last, sizes=_MOST_SEEKS):
                values: dict[str, Any] = {}
                for place, (key, lane) in enumerate(some):
                    values |= {f"b_key{place}": key, f"b_lane{place}": lane}
                row = connection.execute(next_lanes(len(some)), values).one()
                lanes = dict(zip((key for key, _ in some), row, strict=True))
                following += [(key, lane) for key, lane in lanes.items() if lane is not None]
            found += following
            last = following
        return found

    def note_count(self, connection: Connection, values: Values) -> None:
        """Append what is to be counted, which waits for nobody."""
        connection.execute(upkeep.NOTE_FOR_TALLY, values)


def _due_at(row: Row) -> int:
    given = row["b_due_at"]
    return int(row["b_created_at"] + row["b_delay"] if given is None else given)


@functools.cache
def _insert_into(table: Table) -> Insert:
    values = {column.name: bindparam(f"b_{column.name}", type_=column.type) for column in table.c}
    (key, *_) = table.primary_key.columns
    return mysql.insert(table).values(values).on_duplicate_key_update({key.name: key})


def _takes_a_table(statement: UpdateBase) -> bool:
    """Whether rows of parameters can be joined to it: not to an INSERT of VALUES."""
    return not isinstance(statement, Insert) or statement.select is not None


@functools.lru_cache(maxsize=512)
def _together(statement: UpdateBase, dialect: Dialect) -> tuple[list[str], UpdateBase]:
    """Return the names of what comes with each row, and the statement for a table of rows in JSON."""
    types = parameters_of(statement, dialect)
    return list(types), together(statement, _given(types))


def _given(types: Mapping[str, TypeEngine[Any]]) -> FromClause:
    """Return a table with a column for each parameter; bytes come as base64."""
    shown = ", ".join(
        f"FROM_BASE64({name}) AS {name}" if isinstance(kind, _BYTES) else name
        for name, kind in types.items()
    )
    columns = ", ".join(
        f"{name} {_sent_as(kind)} PATH '$[{place}]'"
        for place, (name, kind) in enumerate(types.items())
    )
    # Names and types are those of our own statements.
    query = f"SELECT {shown} FROM JSON_TABLE(:b_rows, '$[*]' COLUMNS ({columns})) AS sent"  # noqa: S608 - see above
    return (
        text(query).columns(*(column(name, kind) for name, kind in types.items())).subquery("given")
    )


def _sent_as(kind: TypeEngine[Any]) -> str:
    if isinstance(kind, Float):
        return "DOUBLE"
    return "BIGINT" if isinstance(kind, Integer) else _TEXT


SPELLING: Final = MariaSpelling()
