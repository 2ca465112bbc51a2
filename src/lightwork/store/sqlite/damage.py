"""Damage: values that lightwork never writes, and where rows go that hold one.

A column of SQLite takes any type, a foreign program writes what it likes, a disk
forgets bits. Workers step around such a row (`sql/rows.py`), but it is never right again:
the job of a damaged id cannot be asked for, one of a damaged due time is never due.

    find     each column's type, length and UTF-8, the policies, the states
    repair   the row leaves its table and becomes a row of `damaged`: each value
             with its type and its bytes, why, and when. Nothing is dropped, and whoever
             understands what happened can put it back.
"""

# ruff: noqa: S608 - all names in these statements are those of tables.py

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Float,
    Integer,
    LargeBinary,
    Select,
    Table,
    TextClause,
    delete,
    func,
    insert,
    literal_column,
    select,
    text,
)
from sqlalchemy.sql.elements import ColumnElement

from lightwork.errors import StoreError
from lightwork.model import State
from lightwork.store.sql.rows import CorruptRow, policy_of
from lightwork.store.sql.states import HAS_NO_JOB, HAS_TWO_STATES, IS_NOWHERE
from lightwork.store.tables.clock_sql import db_now
from lightwork.store.tables.jobs import STATE_TABLES, attempt, job, outcome
from lightwork.store.tables.schedules import schedule
from lightwork.store.tables.settings import setting
from lightwork.store.tables.types import Id
from lightwork.store.tables.workers import damaged, tally, worker

_EXAMPLES: Final = 5
# As many as SQLite may tell: of a large index that is broken it would tell each row.
_FINDINGS: Final = 100
_ABOUT_AN_INDEX: Final = re.compile(
    r"(?:row \d+ missing from|wrong # of entries in|non-unique entry in) index (\w+)"
)
_TABLES: Final = (job, *STATE_TABLES, attempt, worker, tally, schedule, setting)
_WORDS: Final = ", ".join(f"'{state}'" for state in State)
_ROWID: Final[ColumnElement[Any]] = literal_column("rowid")
# Of the year 9999: later, and no calendar can show it.
_LATEST: Final = 253_402_300_799_000


@dataclass(frozen=True, slots=True)
class _Rule:
    """What no row of a table may meet, as SQL, and the words for it."""

    table: Table
    column: str
    condition: TextClause | ColumnElement[bool]
    meaning: str


def problems(connection: Connection) -> list[str]:
    """Return what is damaged: pages and indexes of the file, then a sentence for each column."""
    _equip(connection)
    # A table is read once: few have anything to be told.
    tables = {name for name, query in _ANY.items() if connection.exec_driver_sql(query).first()}
    suspects = [rule for rule in RULES if rule.table.name in tables]
    columns = [found for rule in suspects if (found := _broken(connection, rule))]
    return _damaged_pages(connection) + columns


def repair(connection: Connection) -> list[str]:
    """Build broken indexes anew, move damaged rows and what belonged to them.

    Raises:
        StoreError: A row changed meanwhile; nothing was moved.
    """
    _equip(connection)
    # First: through a broken index not even a row can be moved.
    done = _rebuild_indexes(connection)
    return done + [text for rule in (*RULES, *_STRAYS) for text in _move_all(connection, rule)]


def _damaged_pages(connection: Connection) -> list[str]:
    indexes, other = _integrity(connection)
    return [
        *(f"the file is damaged: {text}" for text in other),
        *(f"the index {index} is broken, --repair builds it anew" for index in indexes),
    ]


def _rebuild_indexes(connection: Connection) -> list[str]:
    indexes, other = _integrity(connection)
    if other:
        # Of a file that is damaged in its tables too, nothing may be written anew.
        return []
    for index in indexes:
        connection.exec_driver_sql(f'REINDEX "{index}"')
    return [f"the index {index} was broken and is built anew" for index in indexes]


def _integrity(connection: Connection) -> tuple[list[str], list[str]]:
    """Return the indexes that lack a row or have one too many, and what else SQLite finds wrong."""
    found = connection.exec_driver_sql(f"PRAGMA integrity_check({_FINDINGS})").scalars()
    # A broken CHECK is told elsewhere, with the jobs that break it.
    wrong = [text for text in found if text != "ok" and not text.startswith("CHECK constraint")]
    named = {text: _ABOUT_AN_INDEX.fullmatch(text) for text in wrong}
    indexes = {said[1] for said in named.values() if said}
    return sorted(indexes), [text for text in wrong if not named[text]]


def _rules() -> Iterator[_Rule]:
    for table, column, condition, meaning in _conditions():
        # Colons would be parameters: there are none.
        yield _Rule(table, column, text(condition), meaning)


def _any() -> Iterator[tuple[str, str]]:
    """Yield, for each table, what asks for one row that any rule forbids."""
    by_table: dict[str, list[str]] = {}
    for table, _column, condition, _meaning in _conditions():
        by_table.setdefault(table.name, []).append(f"({condition})")
    for name, conditions in by_table.items():
        yield name, f"SELECT 1 FROM {name} WHERE {' OR '.join(conditions)} LIMIT 1"


def _conditions() -> Iterator[tuple[Table, str, str, str]]:
    for table in _TABLES:
        for column in table.c:
            name, kinds = f'"{column.name}"', _kinds(column)
            nullable = f"{name} IS NOT NULL AND " if column.nullable else ""
            is_other = f"{nullable}typeof({name}) NOT IN ({kinds})"
            yield (table, column.name, is_other, f"not {kinds.replace(chr(39), '')}")
            if isinstance(column.type, Id):
                is_id = f"typeof({name}) = 'blob' AND length({name}) != 16"
                yield (table, column.name, is_id, "not 16 bytes")
            if "'text'" in kinds:
                is_text = f"typeof({name}) = 'text' AND NOT lightwork_is_text(CAST({name} AS BLOB))"
                yield (table, column.name, is_text, "no UTF-8")
            if column.name.endswith(("_at", "_until")):
                is_time = f"typeof({name}) = 'integer' AND {name} NOT BETWEEN 0 AND {_LATEST}"
                yield (table, column.name, is_time, "no time")
    yield (job, "policy", "NOT lightwork_is_policy(CAST(policy AS BLOB))", "not readable")
    is_priority = (
        f"typeof(priority) = 'integer' AND priority NOT BETWEEN {-(2**31)} AND {2**31 - 1}"
    )
    yield (job, "priority", is_priority, "no priority")
    is_queue = "typeof(queue) = 'text' AND length(queue) NOT BETWEEN 1 AND 100"
    yield (job, "queue", is_queue, "no name of a queue")
    for table in (outcome, tally):
        is_state = f"typeof(state) = 'text' AND state NOT IN ({_WORDS})"
        yield (table, "state", is_state, "no known state")


def _kinds(column: Column[Any]) -> str:
    if isinstance(column.type, Float):
        return "'real', 'integer'"
    if isinstance(column.type, Integer):
        return "'integer'"
    return "'blob'" if isinstance(column.type, Id | LargeBinary) else "'text'"


RULES: Final = tuple(_rules())
_ANY: Final = dict(_any())
# First what hangs in the air, then what has nothing to hang on: what is moved leaves more of both.
_STRAYS: Final = (
    *(_Rule(table, "seq", HAS_NO_JOB[table], "of no job") for table in STATE_TABLES),
    *(_Rule(table, "seq", two, "in two states") for table, two in HAS_TWO_STATES.items()),
    _Rule(job, "seq", IS_NOWHERE, "in no state"),
    _Rule(attempt, "seq", HAS_NO_JOB[attempt], "of no job"),
)


def _broken(connection: Connection, rule: _Rule) -> str:
    rowids = list(connection.scalars(_selected(_ROWID, rule).limit(_EXAMPLES + 1)))
    if not rowids:
        return ""
    count = connection.scalar(_selected(func.count(), rule))
    named = ", ".join(map(str, rowids[:_EXAMPLES])) + " ..." * (len(rowids) > _EXAMPLES)
    key = "seq" if rule.table is job or rule.table in STATE_TABLES else "rowid"
    return f"{count} rows of {rule.table.name}: {rule.column} is {rule.meaning}: {key} {named}"


def _move_all(connection: Connection, rule: _Rule) -> Iterator[str]:
    for rowid in list(connection.scalars(_selected(_ROWID, rule))):
        content = _content(connection, rule.table, rowid)
        why = f"{rule.column} is {rule.meaning}"
        gone = connection.execute(delete(rule.table).where(rowid == _ROWID, rule.condition))
        if gone.rowcount != 1:
            raise StoreError(
                f"row {rowid} of {rule.table.name} changed while it was repaired; nothing was moved"
            )
        moved = {"kind": rule.table.name, "why": why, "content": content, "moved_at": db_now()}
        number = connection.execute(insert(damaged).values(moved)).inserted_primary_key
        assert number is not None
        yield f"row {rowid} of {rule.table.name} is row {number[0]} of damaged now: {why}"


def _selected(what: ColumnElement[Any], rule: _Rule) -> Select[Any]:
    return select(what).select_from(rule.table).where(rule.condition)


def _content(connection: Connection, table: Table, rowid: int) -> str:
    names = [column.name for column in table.c]
    asked = ", ".join(f'typeof("{name}"), hex("{name}")' for name in names)
    query = text(f"SELECT {asked} FROM {table.name} WHERE rowid = :rowid")
    values = tuple(connection.execute(query, {"rowid": rowid}).one())
    pairs = zip(names, values[::2], values[1::2], strict=True)
    return json.dumps({name: {"type": kind, "hex": digits} for name, kind, digits in pairs})


def _equip(connection: Connection) -> None:
    driver: Any = connection.connection.dbapi_connection
    driver.create_function("lightwork_is_text", 1, _is_text, deterministic=True)
    driver.create_function("lightwork_is_policy", 1, _is_policy, deterministic=True)


def _is_text(stored: bytes) -> bool:
    try:
        stored.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_policy(stored: bytes) -> bool:
    try:
        policy_of(stored.decode(), "default", 0)
    except (CorruptRow, UnicodeDecodeError):
        return False
    return True
