"""Spelling of PostgreSQL: whole batches in one statement.

Executed row by row, a statement is planned anew for each: nothing may stay prepared in a session,
see database.py. So many rows come as arrays, a column each, and `unnest` makes a table of them
(server/together.py): a drain of 10,000 jobs costs the server 100 us each instead of 760.
"""

import functools
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Dialect,
    Insert,
    LargeBinary,
    Select,
    Table,
    TextualSelect,
    any_,
    bindparam,
    cast,
    literal_column,
    select,
    text,
    true,
    type_coerce,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.dml import UpdateBase

from lightwork.clock import monotonic
from lightwork.model import Lane
from lightwork.store.postgresql.behind import (
    LAST_NUMBER,
    best_behind,
    gap_values,
    look_at_lanes,
    next_behind,
)
from lightwork.store.postgresql.claim import claim_plain
from lightwork.store.postgresql.driver import rows_of
from lightwork.store.postgresql.ending import succeed_alone, succeed_one
from lightwork.store.postgresql.marks import Marks, Place
from lightwork.store.postgresql.packed import Blobs, Integers, Texts, given_table, kind_of, register
from lightwork.store.postgresql.plain import begin_plain, keep_plain
from lightwork.store.server.together import moving, parameters_of, selected, together
from lightwork.store.sql import upkeep
from lightwork.store.sql.jobs import END_OF, NEW_JOB
from lightwork.store.sql.lanes import IS_OPEN, LANES
from lightwork.store.sql.many import PlainJobs, Row
from lightwork.store.sql.moves import Move
from lightwork.store.sql.rollups import adding
from lightwork.store.sql.rows import OutcomeRow, outcome_row
from lightwork.store.sql.spelling import Heard, Spelling, Values
from lightwork.store.tables.jobs import job, running
from lightwork.store.tables.rollups import rollup
from lightwork.store.tables.workers import tally
from lightwork.store.views import TableSize

_HEARD_BY: Final = (
    "SELECT EXISTS (SELECT FROM dependency WHERE parent = ANY(%(b_seqs)s)), "
    "EXISTS (SELECT FROM limit_slot WHERE key = ANY(%(b_keys)s))"
)
_DRIVERS: Final = frozenset({"psycopg", "psycopg_async"})
# Of one statement: the server takes a gigabyte, and keeps all of it in memory.
_MOST_ROWS: Final = 1000
# Up to so many outcomes are asked for by one join, which takes less than to seek each.
_FEW: Final = 100
_MOST_BYTES: Final = 16 << 20


_SEQUENCE: Final = text(
    "SELECT pg_sequence_last_value(pg_get_serial_sequence(:b_table, :b_column)::regclass)"
)
_SET_SEQUENCE: Final = text(
    "SELECT setval(pg_get_serial_sequence(:b_table, :b_column)::regclass, :b_number)"
)

_SIZES: Final = text(
    "SELECT c.relname, greatest(c.reltuples, 0)::bigint AS rows, pg_total_relation_size(c.oid) AS "
    "size, pg_indexes_size(c.oid) AS index_size, coalesce(s.n_dead_tup, 0) AS dead FROM pg_class "
    "AS c LEFT JOIN pg_stat_user_tables AS s ON s.relid = c.oid "
    "WHERE c.relkind = 'r' AND pg_table_is_visible(c.oid)"
)


class PostgresSpelling(Spelling):
    """What PostgreSQL says differently."""

    insert_new = (
        postgresql.insert(job)
        .from_select(list(NEW_JOB), selected(NEW_JOB, job))
        .on_conflict_do_nothing(index_elements=["id"])
    )

    add_rollup = adding(postgresql.insert(rollup))
    keeps_meanwhile = True
    keeps_plain = True
    claims_plain = True
    ends_plain = True

    def __init__(self, marks: Marks | None = None) -> None:
        self._marks = marks or Marks()

    @property
    def is_clogged(self) -> bool:
        """Whether vacuums are in vain."""
        return self._marks.are_in_force

    def next_due(self, ask: Callable[[int | None], Any]) -> Any:
        """Return what `ask` returns, and move the mark of what is scheduled by that."""
        if not self.is_clogged:
            return ask(None)
        look = self._marks.begin_due(monotonic())
        found = ask(look.since)
        self._marks.end_due(look, monotonic(), found.now, found.due_in)
        return found

    def due_since(self) -> int | None:
        """Return the mark of what is scheduled."""
        return self._marks.due_since if self.is_clogged else None

    def prepare(self, connection: Connection) -> None:
        """Let the connection know our arrays."""
        if connection.dialect.driver in _DRIVERS:
            register(connection.connection.driver_connection)

    def execute_many(
        self, connection: Connection, statement: UpdateBase, rows: Sequence[Row]
    ) -> int:
        """Execute the statement for all rows at once; return how many were changed."""
        if len(rows) < 2 or connection.dialect.driver not in _DRIVERS:
            return super().execute_many(connection, statement, rows)
        many = _many(statement, connection.dialect)
        return sum(found.rowcount for found in many.run(connection, rows))

    def move(self, connection: Connection, move: Move, rows: Sequence[Row]) -> int:
        """Move the jobs that are as their guards say, in one statement; return how many."""
        return self.execute_many(connection, _moving(move), rows)

    def write_together(
        self,
        connection: Connection,
        statement: UpdateBase,
        others: Sequence[UpdateBase],
        values: Values,
    ) -> int:
        """Execute them as one statement, which sees each row as it was before all of them."""
        return connection.execute(_beside(statement, *others), values).rowcount

    def insert_unknown(self, connection: Connection, rows: Sequence[Row]) -> set[uuid.UUID]:
        """Insert the jobs of which no id is known, or given twice; return their ids."""
        if connection.dialect.driver not in _DRIVERS:
            # Only of VALUES does SQLAlchemy make one statement for many rows that returns.
            given = [{**row, "b_id": uuid.UUID(bytes=row["b_id"])} for row in rows]
            return set(connection.scalars(_INSERT_VALUES, given))
        many = _many(_INSERT_UNKNOWN, connection.dialect)
        return {
            uuid.UUID(bytes=job_id)
            for found in many.run(connection, rows)
            for job_id in found.scalars()
        }

    def keep_plain(self, connection: Connection, plain: PlainJobs) -> Collection[bytes]:
        """Keep plain jobs by one statement; return the ids of those that were known."""
        return keep_plain(connection, plain)

    def begin_plain(self, connection: Connection, plain: PlainJobs) -> Callable[[], None]:
        """Send what keeps plain jobs."""
        return begin_plain(connection, plain)

    def claim_plain(
        self, connection: Connection, worker_id: uuid.UUID, lane: Lane, *, slots: int, ahead: int
    ) -> list[Any] | None:
        """Claim from one lane by one statement; None: that takes more than one."""
        marks = self._marks.of_lane(lane.queue, lane.task)
        return claim_plain(connection, worker_id, lane, marks, slots=slots, ahead=ahead)

    def next_of_lane(self, connection: Connection, values: Values) -> list[Any]:
        """Return the rows of the jobs that come next behind the marks of a lane, locked."""
        marks = self._marks.of_lane(values["b_queue"], values["b_task"])
        if not marks or connection.dialect.driver not in _DRIVERS:
            return super().next_of_lane(connection, values)
        return list(connection.execute(next_behind(), {**values, **gap_values(marks)}).all())

    def best_of(
        self, connection: Connection, queue: str, tasks: Sequence[str], limit: int
    ) -> list[tuple[int, int]]:
        """Return rank and seq of the jobs that come first behind the marks of these lanes."""
        if not self.is_clogged:
            return super().best_of(connection, queue, tasks, limit)
        marks = {task: self._marks.of_lane(queue, task) for task in tasks}
        return best_behind(connection, queue, marks, limit)

    def lanes(self, connection: Connection, queue: str, *, is_whole: bool = False) -> Iterable[Any]:
        """Return the tasks that have ready jobs in a queue; move its marks by what that look has seen."""
        if not self.is_clogged:
            # Past SQLAlchemy: every worker asks after each word.
            asked = rows_of(connection, _lanes(connection.dialect), {"b_queue": queue})
            return (task for (task,) in asked)
        now = monotonic()
        if self._marks.is_number_due(now):
            self._marks.note_number(now, connection.exec_driver_sql(LAST_NUMBER).scalar() or 0)
        look, first = look_at_lanes(connection, self._marks, queue, is_full=is_whole)
        if not first and not look.is_full and self._marks.is_full_due(queue, monotonic()):
            # Who has nothing to claim has the time for one that takes long.
            look, first = look_at_lanes(connection, self._marks, queue, is_full=True)
        # That nothing is ready only a full look knows: clients of a server ask no more until something changes.
        found = [*first] or [*look.marks]
        return found if found and connection.scalar(IS_OPEN, {"b_queue": queue}) else []

    def note_back(self, lane: Lane, priority: int, seq: int) -> None:
        """Move the mark of a lane back before a job that is ready again."""
        self._marks.note_back(lane.queue, lane.task, Place(-priority, seq))

    def insert_into(self, table: Table) -> Insert:
        """Return an INSERT that skips known keys."""
        return _insert_into(table)

    def lock_running(self, connection: Connection, seqs: Iterable[int]) -> None:
        """Let nobody else change running jobs until this transaction ends."""
        found = sorted(seqs)
        connection.exec_driver_sql(_lock(connection.dialect), {"b_seqs": Integers(found)})

    def sizes(self, connection: Connection) -> Mapping[str, TableSize]:
        """Return what its statistics tell."""
        return {
            row.relname: TableSize(
                rows=row.rows, size=row.size, index_size=row.index_size, dead_rows=row.dead
            )
            for row in connection.execute(_SIZES)
        }

    def last_number(self, connection: Connection, column: Column[Any]) -> int:
        """Return where the column's sequence stands."""
        values = {"b_table": column.table.name, "b_column": column.name}
        last = connection.scalar(_SEQUENCE, values)
        return max(last or 0, super().last_number(connection, column))

    def go_on_after(self, connection: Connection, column: Column[Any], number: int) -> None:
        """Set that sequence."""
        values = {"b_table": column.table.name, "b_column": column.name, "b_number": number}
        connection.execute(_SET_SEQUENCE, values)

    def succeed_one(self, connection: Connection, queue: str, values: Values) -> bool:
        """End one job, and count it, by one statement."""
        return succeed_one(connection, queue, values)

    def succeed_alone(self, connection: Connection, queue: str, values: Values) -> bool:
        """Do the same by one message, if nothing can begin for that end."""
        return succeed_alone(connection, queue, values)

    def heard_by(self, connection: Connection, ended: Sequence[int], keys: Sequence[str]) -> Heard:
        """Ask past SQLAlchemy: mostly there is nobody, and that is all."""
        if connection.dialect.driver not in _DRIVERS:
            return Heard(children=True, queues=True)
        values = {"b_seqs": Integers(ended), "b_keys": Texts(keys)}
        return Heard(*connection.exec_driver_sql(_HEARD_BY, values).one())

    def outcomes(self, connection: Connection, ids: Sequence[uuid.UUID]) -> Iterable[OutcomeRow]:
        """Ask the driver, as everybody does who waits."""
        text_of = _outcomes if len(ids) <= _FEW else _outcomes_of_many
        for values in _id_arrays(ids):
            yield from map(outcome_row, rows_of(connection, text_of(connection.dialect), values))

    def of_jobs(
        self, connection: Connection, statement: Select[Any], ids: Iterable[uuid.UUID]
    ) -> Iterable[Any]:
        """Yield the rows of a statement about jobs, of those with these ids, which come as an array."""
        if connection.dialect.driver not in _DRIVERS:
            yield from super().of_jobs(connection, statement, ids)
            return
        found = _of_jobs(statement)
        for values in _id_arrays([*dict.fromkeys(ids)]):
            yield from connection.execute(found, values)

    def note_count(self, connection: Connection, values: Values) -> None:
        """Append what is to be counted, which waits for nobody."""
        connection.execute(upkeep.NOTE_FOR_TALLY, values)

    def add_to_counter(self, connection: Connection, values: Values) -> None:
        """Add to the number of finished jobs of a queue and a state."""
        connection.execute(_COUNT, values)


@functools.cache
def _beside(statement: UpdateBase, *others: UpdateBase) -> UpdateBase:
    parts = [other.cte(f"part_{number}") for number, other in enumerate(others)]
    return statement.add_cte(*parts)


class _Many:
    """A statement for many rows: its text, and how columns are packed."""

    def __init__(self, statement: UpdateBase, dialect: Dialect) -> None:
        types = parameters_of(statement, dialect)
        self._kinds = {name: kind_of(kind)[0] for name, kind in types.items()}
        compiled = together(statement, given_table(types)).compile(dialect=dialect)
        self._text = str(compiled)
        self._fixed = {name: value for name, value in compiled.params.items() if name not in types}

    def run(self, connection: Connection, rows: Sequence[Row]) -> Iterator[Any]:
        """Yield what the driver returns for each part of the rows."""
        for first in range(0, len(rows), _MOST_ROWS):
            yield from self._run(connection, rows[first : first + _MOST_ROWS])

    def _run(self, connection: Connection, rows: Sequence[Row]) -> Iterator[Any]:
        columns = {name: [row[name] for row in rows] for name in self._kinds}
        if len(rows) > 1 and self._size(columns) > _MOST_BYTES:
            half = len(rows) // 2
            yield from self._run(connection, rows[:half])
            yield from self._run(connection, rows[half:])
            return
        packed = {name: self._kinds[name](values) for name, values in columns.items()}
        yield connection.exec_driver_sql(self._text, self._fixed | packed)

    def _size(self, columns: Mapping[str, list[Any]]) -> int:
        wide = [name for name, kind in self._kinds.items() if issubclass(kind, Blobs)]
        return sum(len(value) for name in wide for value in columns[name] if value is not None)


# As many statements as there are, for each store that is open.
_many: Final[Callable[[UpdateBase, Dialect], _Many]] = functools.lru_cache(maxsize=512)(_Many)
_moving: Final = functools.lru_cache(maxsize=128)(moving)
_INSERT_UNKNOWN: Final = PostgresSpelling.insert_new.returning(job.c.id)
_INSERT_VALUES: Final = (
    postgresql.insert(job)
    .values(NEW_JOB)
    .on_conflict_do_nothing(index_elements=["id"])
    .returning(job.c.id)
)


@functools.cache
def _insert_into(table: Table) -> Insert:
    values = (bindparam(f"b_{column.name}", type_=column.type) for column in table.c)
    found = postgresql.insert(table).from_select(list(table.c.keys()), select(*values))
    return found.on_conflict_do_nothing()


@functools.cache
def _lock(dialect: Dialect) -> str:
    keys = cast(bindparam("b_seqs"), postgresql.ARRAY(BigInteger()))
    lock = select(running.c.seq).where(running.c.seq == any_(keys)).order_by(running.c.seq)
    return str(lock.with_for_update().compile(dialect=dialect))


@functools.cache
def _outcomes(dialect: Dialect) -> str:
    asked = cast(bindparam("b_ids"), postgresql.ARRAY(LargeBinary()))
    found = END_OF.where(type_coerce(job.c.id, LargeBinary) == any_(asked))
    return str(found.compile(dialect=dialect, compile_kwargs={"render_postcompile": True}))


def _id_arrays(ids: Sequence[uuid.UUID]) -> Iterator[Row]:
    for first in range(0, len(ids), _MOST_ROWS):
        yield {"b_ids": Blobs([one.bytes for one in ids[first : first + _MOST_ROWS]])}


def _sought(statement: Select[Any]) -> Select[Any]:
    """Return the rows of a statement about jobs for each id of an array, one seek after the other.

    Joined with hundreds of ids the planner would rather read every outcome that there is.
    """
    given = given_table({"b_ids": job.c.id.type})
    one = statement.where(type_coerce(job.c.id, LargeBinary) == given.c.b_ids)
    found = one.limit(literal_column("1")).lateral("found")
    return select(found).select_from(given.join(found, true()))


@functools.cache
def _outcomes_of_many(dialect: Dialect) -> str:
    found = _sought(END_OF).compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    return str(found)


@functools.cache
def _of_jobs(statement: Select[Any]) -> TextualSelect:
    """Return the same as text: as a parameter of type ARRAY it would be packed element by element."""
    dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
    whole = _sought(statement).compile(dialect=dialect)
    return text(str(whole)).columns(*statement.selected_columns)


@functools.cache
def _lanes(dialect: Dialect) -> str:
    return str(LANES.compile(dialect=dialect))


# In one statement: two who count the first job of a queue at once find no row both.
_first = postgresql.insert(tally).values(
    queue=bindparam("b_queue"), state=bindparam("b_state"), jobs=bindparam("b_more")
)
_COUNT: Final = _first.on_conflict_do_update(
    index_elements=["queue", "state"], set_={"jobs": tally.c.jobs + _first.excluded.jobs}
)
SPELLING: Final = PostgresSpelling()
