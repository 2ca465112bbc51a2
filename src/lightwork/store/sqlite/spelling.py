"""Spelling of SQLite, which takes any value for any column and has no clock."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Insert,
    Integer,
    Table,
    bindparam,
    exc,
    func,
    insert,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects import sqlite

from lightwork.model import Lane
from lightwork.store.sql.in_lists import padded_chunks
from lightwork.store.sql.jobs import END_OF, NEW_JOB, NEW_READY, READY_OF
from lightwork.store.sql.lanes import LANES
from lightwork.store.sql.many import Row
from lightwork.store.sql.moves import Move
from lightwork.store.sql.rollups import adding
from lightwork.store.sql.rows import OutcomeRow, outcome_row
from lightwork.store.sql.spelling import Heard, Spelling
from lightwork.store.sqlite import damage
from lightwork.store.sqlite.batches.moving import FEW, alike, move_alike
from lightwork.store.tables.jobs import job, ready
from lightwork.store.tables.rollups import rollup
from lightwork.store.tables.types import metadata
from lightwork.store.views import TableSize, TableStats

_LAST: Final = select(func.max(job.c.seq)).scalar_subquery()
_MAKE_LAST_READY: Final = insert(ready).from_select(
    NEW_READY, READY_OF.where(job.c.seq > _LAST - bindparam("b_count", type_=Integer))
)

_SEQUENCE: Final = text("SELECT seq FROM sqlite_sequence WHERE name = :b_table")
_FORGET_SEQUENCE: Final = text("DELETE FROM sqlite_sequence WHERE name = :b_table")
_START_SEQUENCE: Final = text(
    "INSERT INTO sqlite_sequence (name, seq) VALUES (:b_table, :b_number)"
)

_IS_LIMITED: Final = "SELECT 1 FROM limit_slot WHERE key = ?"
_HAS_READY: Final = "SELECT 1 FROM ready WHERE queue = ? AND task = ? LIMIT 1"

# Of a file whose tables are measured: 200 MB.
_MOST_PAGES: Final = 50_000
_TABLE_BYTES: Final = text(
    "SELECT m.tbl_name, m.name, s.pgsize FROM dbstat AS s JOIN sqlite_master AS m "
    "ON m.name = s.name WHERE s.aggregate = TRUE"
)


def _bytes_of_tables(connection: Connection) -> dict[str, dict[str, int]]:
    """Return the bytes of each table and of its indexes, by the names of both."""
    found: dict[str, dict[str, int]] = {}
    try:
        for table, name, size in connection.execute(_TABLE_BYTES):
            found.setdefault(table, {})[name] = size
    except exc.DatabaseError:
        # This SQLite was built without it.
        return {}
    return found


def _size_of(connection: Connection, table: str, told: Mapping[str, int] | None) -> TableSize:
    # Rows are numbered as they come and deleted from the start: an estimate that costs two seeks.
    rowid, found = literal_column("rowid", Integer), metadata.tables[table]
    last, first = (
        select(end(rowid)).select_from(found).scalar_subquery() for end in (func.max, func.min)
    )
    rows = connection.scalar(select(1 + last - first)) or 0
    if told is None:
        return TableSize(rows=rows)
    size = sum(told.values())
    return TableSize(rows=rows, size=size, index_size=size - told.get(table, 0))


class SqliteSpelling(Spelling):
    """What SQLite says differently."""

    insert_new = sqlite.insert(job).values(NEW_JOB).on_conflict_do_nothing(index_elements=["id"])

    add_rollup = adding(sqlite.insert(rollup))

    def insert_into(self, table: Table) -> Insert:
        """Return an INSERT that skips known keys."""
        return _insert_into(table)

    def make_ready(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Make the last jobs ready, which are these: nobody else has written meanwhile.

        By their ids, each looked up at a random place of an index, it would take three times as long.
        """
        self.execute_many(connection, _MAKE_LAST_READY, [{"b_count": len(rows)}])

    def sizes(self, connection: Connection) -> Mapping[str, TableSize]:
        """Return bytes where the file is small: to tell them, SQLite reads all of it."""
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar() or 0
        told = _bytes_of_tables(connection) if pages <= _MOST_PAGES else {}
        return {
            table.name: _size_of(connection, table.name, told.get(table.name))
            for table in metadata.sorted_tables
        }

    def whole_size(self, connection: Connection, _tables: Sequence[TableStats]) -> int:
        """Return the bytes of the file."""
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar() or 0
        return int(pages * (connection.exec_driver_sql("PRAGMA page_size").scalar() or 0))

    def last_number(self, connection: Connection, column: Column[Any]) -> int:
        """Return what SQLite keeps of each table that never uses a number twice."""
        last = connection.scalar(_SEQUENCE, {"b_table": column.table.name})
        return max(last or 0, super().last_number(connection, column))

    def go_on_after(self, connection: Connection, column: Column[Any], number: int) -> None:
        """Say it to that table of SQLite's own."""
        values = {"b_table": column.table.name, "b_number": number}
        connection.execute(_FORGET_SEQUENCE, values)
        connection.execute(_START_SEQUENCE, values)

    def move(self, connection: Connection, move: Move, rows: Sequence[Row]) -> int:
        """Move the jobs that are as their guards say, many in one statement; return how many."""
        if len(rows) < FEW:
            return super().move(connection, move, rows)
        counts = [
            super(SqliteSpelling, self).move(connection, move, group)
            if len(group) < FEW
            else move_alike(connection, move, group)
            for group in alike(rows)
        ]
        return -1 if -1 in counts else sum(counts)

    def lock_running(self, connection: Connection, seqs: Iterable[int]) -> None:
        """Do nothing: only one connection writes at a time."""

    def next_of_lane(self, connection: Connection, values: Mapping[str, Any]) -> list[Any]:
        """Have the driver make texts by itself: 1.5 us a job less than in the way that damaged ones need."""
        driver = connection.connection.driver_connection
        assert driver is not None
        tolerant, driver.text_factory = driver.text_factory, str
        try:
            return super().next_of_lane(connection, values)
        except exc.OperationalError:
            # Where SQLite has undone the transaction, all that follows would be outside of any.
            if not driver.in_transaction:
                raise
            driver.text_factory = tolerant
            return super().next_of_lane(connection, values)
        finally:
            driver.text_factory = tolerant

    def lanes(self, connection: Connection, queue: str, *, is_whole: bool = False) -> Iterable[Any]:  # noqa: ARG002 - every look is
        """Ask the driver: every idle worker asks after every change of the store.

        Through SQLAlchemy it would take four times as long as SQLite itself.
        """
        text, names = _driver_lanes(connection.dialect)
        driver = connection.connection.driver_connection
        assert driver is not None
        return (task for (task,) in driver.execute(text, [queue] * names))

    def has_ready(self, connection: Connection, lanes: Sequence[Lane]) -> bool:
        """Ask the driver: of workers that all heard of one job all but one hold the lock in vain."""
        driver = connection.connection.driver_connection
        assert driver is not None
        return any(driver.execute(_HAS_READY, lane).fetchone() for lane in lanes)

    def outcomes(self, connection: Connection, ids: Sequence[uuid.UUID]) -> Iterable[OutcomeRow]:
        """Ask the driver, as for lanes: everybody does who waits."""
        driver = connection.connection.driver_connection
        assert driver is not None
        for chunk in padded_chunks(dict.fromkeys(ids)):
            asked = _driver_outcomes(connection.dialect, len(chunk))
            yield from map(outcome_row, driver.execute(asked, [one.bytes for one in chunk]))

    def heard_by(self, connection: Connection, _ended: Sequence[int], keys: Sequence[str]) -> Heard:
        """Ask the driver: 3 us where through SQLAlchemy a look takes 100, for each ack."""
        driver = connection.connection.driver_connection
        assert driver is not None
        child = driver.execute("SELECT 1 FROM dependency LIMIT 1").fetchone()
        full = (driver.execute(_IS_LIMITED, (key,)).fetchone() for key in keys)
        return Heard(children=child is not None, queues=any(full))

    def damage(self, connection: Connection) -> list[str]:
        """Ask each column for types, lengths and encodings, and the file for its pages."""
        return damage.problems(connection)

    def repair(self, connection: Connection) -> list[str]:
        """Build indexes anew, move damaged rows."""
        return damage.repair(connection)


@cache
def _insert_into(table: Table) -> Insert:
    values = {column.name: bindparam(f"b_{column.name}", type_=column.type) for column in table.c}
    return sqlite.insert(table).values(values).on_conflict_do_nothing()


SPELLING: Final = SqliteSpelling()


@cache
def _driver_outcomes(dialect: Dialect, count: int) -> str:
    ids: ColumnElement[Any] = literal_column(f"({', '.join('?' * count)})")
    return str(END_OF.where(job.c.id.op("IN")(ids)).compile(dialect=dialect))


@cache
def _driver_lanes(dialect: Dialect) -> tuple[str, int]:
    """Return the statement as text for the driver, and how often it names the queue."""
    compiled = LANES.compile(dialect=dialect)
    return str(compiled), len(compiled.positiontup or ())
