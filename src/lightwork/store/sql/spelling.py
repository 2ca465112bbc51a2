"""Spelling: what dialects say differently, one object for each.

It is looked up once, when the database is opened. Operations say everything else
through the constants beside this file, and never ask which database they talk to. Here stands what
SQLite and PostgreSQL have in common, the folder of each database has the rest.

Two things SQLAlchemy spells by itself when it compiles a statement: the clock, whose
`db_now()` has a compiler for each dialect, and locks, of which SQLite has none.
"""

import functools
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, Connection, Insert, Select, Table, func, select
from sqlalchemy.sql.dml import UpdateBase

from lightwork.errors import StoreError
from lightwork.model import Lane
from lightwork.store.sql import ends, jobs, lanes, states, upkeep
from lightwork.store.sql.in_lists import padded_chunks
from lightwork.store.sql.many import PlainJobs, Row, execute_many
from lightwork.store.sql.moves import Move
from lightwork.store.sql.rows import AnyRow, OutcomeRow, number_of, outcome_row
from lightwork.store.tables.jobs import job
from lightwork.store.views import TableSize, TableStats

Values = Mapping[str, Any]
# Lanes that one statement merges: powers of two, so that there are few statements.
# SQLite takes 500 selects in one.
_MOST_LANES: Final = 64
# Up to so many outcomes are asked for by one join.
_FEW: Final = 100


class Heard(NamedTuple):
    """Who may have to hear that jobs have ended: children that wait for them, queues that have a limit."""

    children: bool
    queues: bool


class Spelling:
    """How a dialect says it that has INSERT ... ON CONFLICT.

    Attributes:
        insert_new: The INSERT of jobs.NEW_JOB that skips known ids.
        add_rollup: The INSERT of rollups.NEW that adds to a row which is there.
        keeps_meanwhile: Whether a thread that keeps many jobs mostly waits, without the interpreter.
        keeps_plain: Whether there is a shorter way for plain jobs; see many.py.
        claims_plain: Whether there is one to claim from a single lane.
        ends_plain: Whether there is one to end a single job; see `succeed_one`.
    """

    insert_new: Insert
    add_rollup: Insert
    keeps_meanwhile = False
    keeps_plain = False
    claims_plain = False
    ends_plain = False

    @property
    def is_clogged(self) -> bool:
        """Whether dead rows are in the way of whoever reads the tables of jobs, and stay there for now."""
        return False

    def next_due(self, ask: Callable[[int | None], Any]) -> Any:
        """Return what `ask` returns, which looks when the next scheduled job is due, from an instant on or of all."""
        return ask(None)

    def due_since(self) -> int | None:
        """Return an instant before which no scheduled job was due when this was looked at last; None: it was not."""
        return None

    def prepare(self, connection: Connection) -> None:
        """Give a connection of the user's own what our statements need of it."""

    def execute_many(
        self, connection: Connection, statement: UpdateBase, rows: Sequence[Row]
    ) -> int:
        """Execute the statement for each row; return how many rows were changed in all."""
        return execute_many(connection, statement, rows)

    def write_together(
        self,
        connection: Connection,
        statement: UpdateBase,
        others: Sequence[UpdateBase],
        values: Values,
    ) -> int:
        """Execute statements about different rows, which share their values; return how many rows the first changed.

        Each is a message; where a database takes all of them as one, there is one.
        """
        for other in others:
            connection.execute(other, values)
        return connection.execute(statement, values).rowcount

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

    def begin_plain(self, connection: Connection, plain: PlainJobs) -> Callable[[], None]:
        """Send what keeps plain jobs, none of which is known, without waiting.

        Returns:
            What waits for the answer, and raises if they were not kept: NotKept if that is certain.
        """
        raise NotImplementedError

    def claim_plain(
        self, connection: Connection, worker_id: uuid.UUID, lane: Lane, *, slots: int, ahead: int
    ) -> list[Any] | None:
        """Claim from one lane by one statement, for which no transaction need have begun.

        Returns:
            Rows as claiming.claim returns them; None: this takes more than a statement, and nothing was
            claimed.
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

    def lanes(self, connection: Connection, queue: str, *, is_whole: bool = False) -> Iterable[Any]:  # noqa: ARG002 - every look is
        """Return the tasks that have ready jobs in a queue."""
        return connection.scalars(lanes.LANES, {"b_queue": queue})

    def has_ready(self, _connection: Connection, _lanes: Sequence[Lane]) -> bool:
        """Return whether a claim may find any job in these lanes; True where to ask costs as much."""
        return True

    def next_of_lane(self, connection: Connection, values: Values) -> list[Any]:
        """Return the rows of the jobs that come next in a lane, locked."""
        return list(connection.execute(lanes.NEXT_OF_LANE, values).all())

    def best_of(
        self, connection: Connection, queue: str, tasks: Sequence[str], limit: int
    ) -> list[tuple[int, int]]:
        """Return rank and seq of the jobs that come first in these lanes, at most so many of some of them."""
        found: list[tuple[int, int]] = []
        for first in range(0, len(tasks), _MOST_LANES):
            some = tasks[first : first + _MOST_LANES]
            count = 1 << (len(some) - 1).bit_length()
            values: dict[str, Any] = {f"b_task{number}": None for number in range(count)}
            values |= {f"b_task{number}": task for number, task in enumerate(some)}
            values |= {"b_queue": queue, "b_limit": limit}
            rows = connection.execute(lanes.best_of(count), values)
            found += [(number_of(row.rank), row.seq) for row in rows]
        return found

    def note_back(self, lane: Lane, priority: int, seq: int) -> None:
        """Note that a job which was claimed is ready again."""

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

    def succeed_one(self, connection: Connection, queue: str, values: Values) -> bool:
        """End one job that has succeeded and is tied to nothing, and count it; where `ends_plain`."""
        raise NotImplementedError

    def succeed_alone(self, connection: Connection, queue: str, values: Values) -> bool:
        """Do the same if nothing can begin for that end, in no transaction; False: nothing was changed."""
        raise NotImplementedError

    def outcomes(self, connection: Connection, ids: Sequence[uuid.UUID]) -> Iterable[OutcomeRow]:
        """Return the ends of jobs, each named once, as far as they have ended."""
        if len(ids) <= _FEW:
            for chunk in padded_chunks(ids):
                yield from map(outcome_row, connection.execute(jobs.OUTCOMES, {"b_ids": chunk}))
            return
        id_of = {row.seq: row.id.bytes for row in self.of_jobs(connection, jobs.SEQ_OF, ids)}
        for chunk in padded_chunks(id_of):
            for seq, *end in connection.execute(jobs.OUTCOMES_BY_SEQ, {"b_seqs": chunk}):
                if end[0] in states.FINALS:
                    yield outcome_row((id_of[seq], *end))

    def of_jobs(
        self, connection: Connection, statement: Select[Any], ids: Iterable[uuid.UUID]
    ) -> Iterable[AnyRow]:
        """Yield the rows of a statement about jobs, of those with these ids."""
        found = _by_id(statement)
        for chunk in padded_chunks(dict.fromkeys(ids)):
            yield from connection.execute(found, {"b_ids": chunk})

    def heard_by(
        self, _connection: Connection, _ended: Sequence[int], _keys: Sequence[str]
    ) -> Heard:
        """Return who may have to hear of the ends of these jobs; asked at each end of a job.

        True where to ask costs as much as to look who waits.

        Args:
            _keys: Of the limits that their queues may have.
        """
        return Heard(children=True, queues=True)

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


@functools.cache
def _by_id(statement: Select[Any]) -> Select[Any]:
    return statement.where(jobs.BY_ID)
