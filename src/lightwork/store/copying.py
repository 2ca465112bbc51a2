"""Copying: a whole store, from one database into another.

Table by table, in batches that are bounded in rows and bytes, each a transaction in the
target. A table whose rows belong to jobs, or are numbered, is walked by that number; all
rows of one number travel together. So what the target holds says where to go on: nothing
else is kept of a copy, and it may be killed and started again at any time.

    for each table      after = the last number in the target
                        rows of the next numbers  ──▶  one transaction
    small tables        emptied and copied whole
    at the end          the target goes on counting where the source stands;
                        count and digest of each table, on both sides

What could go wrong with it is refused before (a target that holds other jobs, workers that
live) or found at the end (a source that changed meanwhile). The source is only read, apart from
a rescue of what dead workers held. Digests are sums of a hash of each row, so the order in which
databases sort text does not matter.
"""

import hashlib
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec
from sqlalchemy import Column, Connection, Float, Integer, Table, delete, exc, func, insert, select
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.types import LargeBinary, Text

from lightwork.errors import StoreError, UsageError
from lightwork.model import State
from lightwork.store.sqlstore import SqlStore
from lightwork.store.tables import metadata
from lightwork.store.tables.jobs import job

_ROWS: Final = 1000
_BYTES: Final = 16 << 20
# Numbers by which rows are walked, the first that a table has.
_NUMBERS: Final = ("seq", "child", "number")
# Of one machine and boot; and of processes that use another store, whose locks nobody holds here.
_LEFT_OUT: Final = frozenset({"clock", "primitive_session"})
# `job` first: a target without jobs has nothing else either.
_TABLES: Final = (
    job,
    *(t for t in metadata.sorted_tables if t is not job and t.name not in _LEFT_OUT),
)

_IDS: Final = select(job.c.seq, job.c.id)

# Told the table and how many of its rows are copied, or compared.
Listener = Callable[[str, int], object]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Copied:
    """Rows of one table, all of them, the same on both sides."""

    table: str
    rows: int
    digest: str


def copy_store(source: SqlStore, target: SqlStore, *, tell: Listener) -> list[Copied]:
    """Copy all that a store keeps, or go on where a copy was left; return what was compared.

    Raises:
        UsageError: The two are one, workers live, jobs run, or the target holds something else.
        StoreError: The two differ afterwards: somebody has changed the source meanwhile.
    """
    if source.database.identity() == target.database.identity():
        raise UsageError(
            f"{source.safe_url} and {target.safe_url} are one store; name another one to copy into"
        )
    _check_source(source)
    _check_target(source, target)
    for table in _TABLES:
        number = _number_of(table)
        after = 0
        if number is None:
            target.database.write(partial(_execute, delete(table)))
        else:
            after = target.database.read(partial(_last, number))
        done = 0
        for rows in _batches(source, table, after):
            try:
                target.database.write(partial(_execute, insert(table), rows=rows))
            except StoreError as error:
                if isinstance(error.__cause__, exc.IntegrityError):
                    raise _taken_for_one(source, target, table, error) from error
                raise
            done += len(rows)
            tell(table.name, done)
    _go_on_counting(source, target)
    return _compare(source, target, tell)


def _taken_for_one(
    source: SqlStore, target: SqlStore, table: Table, error: StoreError
) -> StoreError:
    said = error.__cause__.orig if isinstance(error.__cause__, exc.DBAPIError) else error
    return StoreError(
        f"two rows of {table.name} that {source.safe_url} tells apart are one to {target.safe_url} "
        f"({said}): their names differ by no more than spaces at the end, which MariaDB takes for "
        "equal. Rename one of them in the source, or copy into another kind of database; the target "
        "is to be empty again"
    )


def _check_source(source: SqlStore) -> None:
    if live := source.workers():
        names = ", ".join(worker.name for worker in live[:5])
        raise UsageError(
            f"{source.safe_url} has {len(live)} live workers ({names}), which change what is to be "
            f"copied; stop them first: lightwork workers drain --all {source.safe_url}"
        )
    while source.rescue():
        pass
    if running := source.summary().states[State.RUNNING]:
        raise UsageError(
            f"{running} jobs of {source.safe_url} are running; wait until their workers' leases "
            "have ended"
        )


def _check_target(source: SqlStore, target: SqlStore) -> None:
    if target.workers():
        raise UsageError(f"{target.safe_url} has live workers; copy into a store that nobody uses")
    held = target.database.read(_first_and_last)
    if held is None:
        filled = target.database.read(
            lambda c: [t.name for t in _TABLES if c.execute(select(t).limit(1)).first()]
        )
        if filled:
            raise UsageError(
                f"{target.safe_url} has rows in {', '.join(filled)}; copy into an empty store"
            )
        return
    seqs = [seq for seq, _ in held[:2]]
    there = source.database.read(
        lambda c: (
            {row.seq: row.id for row in c.execute(_IDS.where(job.c.seq.in_(seqs)))},
            c.scalar(select(func.count()).select_from(job).where(job.c.seq <= seqs[-1])),
        )
    )
    if there != (dict(held[:2]), held[2]):
        raise UsageError(
            f"{target.safe_url} holds jobs that are not those of {source.safe_url}; copy into an "
            "empty store"
        )


def _first_and_last(connection: Connection) -> tuple[Any, Any, int] | None:
    """Return number and id of the first and the last job, and how many there are."""
    ends = _IDS.limit(1)
    first = connection.execute(ends.order_by(job.c.seq)).first()
    last = connection.execute(ends.order_by(job.c.seq.desc())).first()
    if first is None or last is None:
        return None
    count = connection.scalar(select(func.count()).select_from(job)) or 0
    return tuple(first), tuple(last), count


def _number_of(table: Table) -> Column[Any] | None:
    return next((table.c[name] for name in _NUMBERS if name in table.c), None)


def _batches(store: SqlStore, table: Table, after: int = 0) -> Iterator[Sequence[Row]]:
    """Yield all rows whose number is greater, all of one number together; or all there are."""
    number = _number_of(table)
    if number is None:
        yield from _whole(store, table)
        return
    while True:
        rows, last = store.database.read(partial(_next, table, number, after))
        if last is None:
            return
        yield rows
        after = last


def _execute(statement: UpdateBase, connection: Connection, rows: Sequence[Row] = ()) -> None:
    connection.execute(statement, rows or None)


def _last(number: Column[Any], connection: Connection) -> int:
    return connection.scalar(select(func.max(number))) or 0


def _next(
    table: Table, number: Column[Any], after: int, connection: Connection
) -> tuple[Sequence[Row], int | None]:
    wide = [c for c in table.c if isinstance(c.type, LargeBinary | Text)]
    size = sum((func.coalesce(func.length(c), 0) for c in wide), start=func.coalesce(number, 0) * 0)
    sizes = select(number, size).where(number > after).order_by(number).limit(_ROWS)
    last, room = None, _BYTES
    for found, taken in connection.execute(sizes):
        if last is not None and room < taken:
            break
        last, room = found, room - taken
    if last is None:
        return [], None
    rows = connection.execute(select(table).where(number > after, number <= last).order_by(number))
    return [dict(row) for row in rows.mappings()], last


def _whole(store: SqlStore, table: Table) -> Iterator[Sequence[Row]]:
    # Of tables without a number: few and short rows, so the whole of them is read at once.
    rows = store.database.read(lambda c: [dict(r) for r in c.execute(select(table)).mappings()])
    for first in range(0, len(rows), _ROWS):
        yield rows[first : first + _ROWS]


def _go_on_counting(source: SqlStore, target: SqlStore) -> None:
    """Let the target never use a number again that the source has used."""
    for table in _TABLES:
        number = table.autoincrement_column
        if number is not None and isinstance(number.type, Integer):
            last = source.database.read(
                partial(source.database.spelling.last_number, column=number)
            )
            if last:
                target.database.write(
                    partial(target.database.spelling.go_on_after, column=number, number=last)
                )


def _compare(source: SqlStore, target: SqlStore, tell: Listener) -> list[Copied]:
    compared, different = [], []
    for table in _TABLES:
        found = [_digest(store, table, tell) for store in (source, target)]
        compared.append(Copied(str(table.name), *found[0]))
        if found[0] != found[1]:
            different.append(f"{table.name} ({found[0][0]} rows there, {found[1][0]} here)")
    if different:
        raise StoreError(
            f"{target.safe_url} differs from {source.safe_url} in {', '.join(different)}: somebody "
            "has changed one of them meanwhile; let nobody submit or work, empty the target, and "
            "copy again"
        )
    return compared


def _digest(store: SqlStore, table: Table, tell: Listener) -> tuple[int, str]:
    count = total = 0
    for rows in _batches(store, table):
        count += len(rows)
        for row in rows:
            values = [_plain(table.c[name], value) for name, value in row.items()]
            total += int.from_bytes(
                hashlib.blake2b(msgspec.msgpack.encode(values), digest_size=16).digest()
            )
        tell(table.name, count)
    return count, f"{total % 2**128:032x}"


def _plain(column: Column[Any], value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return value.bytes
    if isinstance(value, memoryview | bytearray):
        return bytes(value)
    # What one driver gives as 0 another gives as 0.0.
    return float(value) if isinstance(column.type, Float) and value is not None else value
