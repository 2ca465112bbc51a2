"""Moving: many jobs go to their next state by one INSERT and one DELETE.

Row by row a move costs SQLite 9 us a job, most of it to begin and end its two statements; together 3. The
jobs of such a batch differ by their numbers, and perhaps by their results; all else that their
guards and changes name is the same for all of them, and a batch in which it is not is several.

    results apart from each other in one value     x|first|second|third
    numbers, and where each result lies in it      {"17": 1 << 28 | 5, "18": 6 << 28 | 6, ...}

`json_each` makes a table of that. It always comes first, and each of its rows finds its job by the key of the
table: the index of workers would lead through all that the worker runs.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from operator import itemgetter
from typing import Any, Final, TypeAlias

import msgspec
from sqlalchemy import (
    BigInteger,
    BinaryExpression,
    BindParameter,
    Connection,
    Dialect,
    LargeBinary,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
)
from sqlalchemy.sql import operators
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.elements import ColumnElement, UnaryExpression
from sqlalchemy.sql.visitors import iterate, replacement_traverse

from lightwork.store.sql.many import Row
from lightwork.store.sql.moves import Move
from lightwork.store.tables.jobs import running

# Of fewer each by itself is as fast.
FEW: Final = 8
# Of the results of one statement, which are in memory twice.
_MOST_BYTES: Final = 16 << 20
# Of a result; the rest of a number is where it begins.
_LENGTH_BITS: Final = 28
_SEQ: Final = "b_seq"
_RESULT: Final = "b_result"
_GIVEN: Final = (
    func.json_each(bindparam("b_seqs"))
    .table_valued(column("key"), column("value", BigInteger))
    .alias("given")
)
_VALUE: Final = _GIVEN.c.value
_BEGIN: Final = _VALUE.bitwise_rshift(literal_column(str(_LENGTH_BITS)))
_LENGTH: Final = _VALUE.bitwise_and(literal_column(str((1 << _LENGTH_BITS) - 1)))
_SLICE: Final = func.substr(bindparam("b_results", type_=LargeBinary), _BEGIN, _LENGTH)
# A plus sign before a column: an index of it is of no use.
_WORKER: Final[UnaryExpression[Any]] = UnaryExpression(
    running.c.worker, operator=operators.custom_op("+")
)


def alike(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Yield the rows in groups that one statement can move."""
    names = sorted(rows[0].keys() - {_SEQ, _RESULT})
    pick = itemgetter(*names, names[0])
    groups: defaultdict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[pick(row)].append(row)
    for group in groups.values():
        yield from _parts(group)


def _parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    if _RESULT not in rows[0] or sum(len(row[_RESULT]) for row in rows) <= _MOST_BYTES:
        yield rows
    elif len(rows) > 1:
        half = len(rows) // 2
        yield from _parts(rows[:half])
        yield from _parts(rows[half:])
    else:
        yield rows


def move_alike(connection: Connection, move: Move, rows: Sequence[Row]) -> int:
    """Move the jobs of a group that are as their guards say; return how many, -1: there is doubt."""
    insert, delete = _compiled(move, connection.dialect)
    numbers = {"b_seqs": msgspec.json.encode([row[_SEQ] for row in rows]).decode()}
    given = _results(rows) if _RESULT in rows[0] else numbers
    moved = _execute(connection, insert, {**rows[0], **given})
    gone = _execute(connection, delete, {**rows[0], **numbers})
    return moved if moved == gone else -1


def _execute(connection: Connection, compiled: "_Compiled", values: Row) -> int:
    text, names, fixed = compiled
    every = {**fixed, **values}
    return connection.exec_driver_sql(text, tuple(every[name] for name in names)).rowcount


def _results(rows: Sequence[Row]) -> Mapping[str, Any]:
    results = [row[_RESULT] for row in rows]
    # Something before the first: of nothing at all substr() is NULL. It counts from 1.
    begins = accumulate(map(len, results), initial=2)
    where = {
        row[_SEQ]: begin << _LENGTH_BITS | len(result)
        for row, begin, result in zip(rows, begins, results, strict=False)
    }
    return {
        "b_seqs": msgspec.json.encode(where).decode(),
        "b_results": b"".join((b"x", *results)),
    }


# The text, the names of its parameters in order, and values that are written into the statement.
_Compiled: TypeAlias = tuple[str, Sequence[str], Mapping[str, Any]]


@lru_cache(maxsize=128)
def _compiled(move: Move, dialect: Dialect) -> tuple[_Compiled, _Compiled]:
    insert, delete = together(move)
    return _text(insert, dialect), _text(delete, dialect)


def together(move: Move) -> tuple[UpdateBase, UpdateBase]:
    """Return both statements of a move for many jobs."""
    has_results = any(_is(_RESULT, one) for one in iterate(move.insert))
    key = cast(_GIVEN.c.key, BigInteger) if has_results else _VALUE

    def joined(element: Any, **_options: Any) -> Any:
        if _is(_SEQ, element):
            return key
        return _SLICE if _is(_RESULT, element) else _without_index(element)

    def among(element: Any, **_options: Any) -> Any:
        if isinstance(element, BinaryExpression) and _is(_SEQ, element.right):
            return element.left.in_(select(_VALUE))
        return _without_index(element)

    return (
        replacement_traverse(move.insert, {}, joined),  # type: ignore[return-value] # of the same class
        replacement_traverse(move.delete, {}, among),
    )


def _without_index(element: Any) -> ColumnElement[Any] | None:
    return _WORKER if element is running.c.worker else None


def _is(name: str, element: Any) -> bool:
    return isinstance(element, BindParameter) and element.key == name


def _text(statement: UpdateBase, dialect: Dialect) -> _Compiled:
    compiled = statement.compile(dialect=dialect)
    fixed = {name: value for name, value in compiled.params.items() if value is not None}
    return str(compiled), compiled.positiontup or (), fixed
