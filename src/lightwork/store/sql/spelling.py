"""Spelling: what dialects say differently, one object for each.

It is looked up once, when the database is opened. Operations say everything else
through the constants beside this file, and never ask which database they talk to. Here stands what
SQLite and PostgreSQL have in common, the folder of each database has the rest.

Two things SQLAlchemy spells by itself when it compiles a statement: the clock, whose
`db_now()` has a compiler for each dialect, and locks, of which SQLite has none.
"""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Insert, Table, func, select
from sqlalchemy.sql.dml import UpdateBase

from lightwork.errors import StoreError
from lightwork.store.sql import ends, jobs, lanes, upkeep
from lightwork.store.sql.in_lists import padded_chunks
from lightwork.store.sql.many import PlainJobs, Row, execute_many
from lightwork.store.sql.moves import Move
from lightwork.store.tables.jobs import job
from lightwork.store.views import TableSize, TableStats

Values = Mapping[str, Any]


class Spelling:
    """How a dialect says it that has INSERT ... ON CONFLICT.

    Attributes:
        insert_new: The INSERT of jobs.NEW_JOB that skips known ids.
        add_rollup: The INSERT of rollups.NEW that adds to a row which is there.
        keeps_plain: Whether there is a shorter way for plain jobs; see many.py.
    """

    insert_new: Insert
    add_rollup: Insert
    keeps_plain = False

    def prepare(self, connection: Connection) -> None:
        """Give a connection of the user's own what our statements need of it."""

    def execute_many(
        self, connection: Connection, statement: UpdateBase, rows: Sequence[Row]
    ) -> int:
        """Execute the statement for each row; return how many rows were changed in all."""
        return execute_many(connection, statement, rows)

    def insert_unknown(self, connection: Connection, rows: Sequence[Row]) -> set[uuid.UUID]:
        """Insert the jobs of which no id is known, or given twice; return their ids.

        A third as fast for many jobs as execute_many: the database tells each.
        """
        given = [{**row, "b_id": uuid.UUID(bytes=row["b_id"])} for row in rows]
        return set(connection.scalars(self.insert_new.returning(job.c.id), given))

    def insert_missing(self, connection: Connection, table: Table, rows: Sequence[Row]) -> None:
        """Insert rows, of all columns, whose key is not there; those that are stay as they are."""
        self.execute_many(connection, self.insert_into(table), rows)

    def insert_into(self, table: Table) -> Insert:
        """Return that INSERT, whose parameters are named b_COLUMN."""
        raise NotImplementedError

    def keep_plain(self, connection: Connection, plain: PlainJobs) -> Collection[bytes]:
        """Insert plain jobs and make them ready; return the ids of those that were known.

        By one statement, for which no transaction need have begun.
        """
        raise NotImplementedError

    def make_ready(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Make the jobs ready that this transaction has inserted last."""
        self.execute_many(connection, jobs.MAKE_READY, rows)

    def lock_running(self, connection: Connection, seqs: Iterable[int]) -> None:
        """Let nobody else change running jobs until this transaction ends."""
        for chunk in padded_chunks(sorted(seqs)):
            connection.execute(ends.LOCK_RUNNING, {"b_seqs": chunk})

    def move(self, connection: Connection, move: Move, rows: Sequence[Row]) -> int:
        """Move the jobs that are as their guards say; return how many.

        Whoever calls has locked them.
        """
        moved = self.execute_many(connection, move.insert, rows)
        gone = self.execute_many(connection, move.delete, rows)
        return moved if moved == gone else -1

    def change_each(
        self, connection: Connection, change: UpdateBase | Move, rows: Sequence[Row]
    ) -> None:
        """Change each row, which this transaction has locked and found legal.

        Raises:
            StoreError: A guard refused a row; the transaction is to be undone.
        """
        do = self.move if isinstance(change, Move) else self.execute_many
        changed = do(connection, change, rows)  # type: ignore[arg-type] # of its own kind
        if changed != len(rows):
            raise StoreError(
                f"{len(rows)} jobs were locked to be changed, and {changed} still were as they had "
                "been read: another program changed them without the lock. Nothing was written; try "
                "again"
            )

    def lanes(self, connection: Connection, queue: str) -> Iterable[Any]:
        """Return the tasks that have ready jobs in a queue."""
        return connection.scalars(lanes.LANES, {"b_queue": queue})

    def waiting_lanes(self, connection: Connection, keys: Sequence[str]) -> list[tuple[str, int]]:
        """Return the lanes in which jobs wait for room under limits of these keys: key and lane."""
        return [
            (row.key, row.lane)
            for chunk in padded_chunks(keys)
            for row in connection.execute(lanes.WAITING_LANES, {"b_keys": chunk})
        ]

    def note_count(self, connection: Connection, values: Values) -> None:
        """Note that so many jobs of a queue have finished: here, where one transaction writes at a time.

        Elsewhere all that finish jobs would wait for one row; see counters.fold.
        """
        self.add_to_counter(connection, values)

    def has_dependencies(self, _connection: Connection) -> bool:
        """Return whether any job may wait for another; asked at each end of a job.

        True where to ask costs as much as to look who waits.
        """
        return True

    def add_to_counter(self, connection: Connection, values: Values) -> None:
        """Add to the number of finished jobs of a queue and a state."""
        if connection.execute(upkeep.ADD_TO_TALLY, values).rowcount == 0:
            connection.execute(upkeep.START_TALLY, values)

    def sizes(self, connection: Connection) -> Mapping[str, TableSize]:
        """Return what the database knows of the size of each table."""
        raise NotImplementedError

    def whole_size(self, _connection: Connection, tables: Sequence[TableStats]) -> int:
        """Return the bytes of all of them."""
        return sum(table.size or 0 for table in tables)

    def last_number(self, connection: Connection, column: Column[Any]) -> int:
        """Return the highest number that the column, which counts by itself, ever had; or has now."""
        return connection.scalar(select(func.max(column))) or 0

    def go_on_after(self, connection: Connection, column: Column[Any], number: int) -> None:
        """Let the column count on behind that number, which is not below any that it has."""

    def damage(self, _connection: Connection) -> list[str]:
        """Return, a sentence each, what is wrong that the database lets happen at all."""
        return []

    def repair(self, _connection: Connection) -> list[str]:
        """Put that right or out of the way; return a sentence for each thing done."""
        return []
