"""Damage: values that lightwork never writes, and where rows go that hold one.

A column of SQLite takes any type, a foreign program writes what it likes, a disk
forgets bits. Workers step around such a row (`rows.py`), but it is never right again:
the job of a damaged id cannot be asked for, one of a damaged due time is never due.

    find     each column's type, length and UTF-8, the policies, the states
    repair   the row leaves its table and becomes a row of `damaged`: each value
             with its type and its bytes, why, and when. Nothing is dropped, and whoever
             understands what happened can put it back.

PostgreSQL and MySQL refuse such values when they are written.
"""

# ruff: noqa: S608 - all names in these statements are those of tables.py

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Float,
    Integer,
    LargeBinary,
    Table,
    TextClause,
    insert,
    text,
)

from lightwork.errors import StoreError
from lightwork.model import State
from lightwork.store.clock_sql import db_now
from lightwork.store.rows import CorruptRow, policy_of
from lightwork.store.tables import Id, attempt, damaged, job, tally, worker

_EXAMPLES: Final = 5
_TABLES: Final = (job, attempt, worker, tally)
_WORDS: Final = ", ".join(f"'{state}'" for state in State)
# Of the year 9999: later, and no calendar can show it.
_LATEST: Final = 253_402_300_799_000


@dataclass(frozen=True, slots=True)
class _Rule:
    """What no row of a table may meet, as SQL, and the words for it."""

    table: Table
    column: str
    condition: str
    meaning: str


def problems(connection: Connection) -> list[str]:
    """Return what is damaged, a sentence for each column."""
    if connection.dialect.name != "sqlite":
        return []
    _equip(connection)
    return [found for rule in RULES if (found := _broken(connection, rule))]


def repair(connection: Connection) -> list[str]:
    """Move damaged rows to the table `damaged`; return a sentence for each.

    Raises:
        StoreError: A row changed meanwhile; nothing was moved.
    """
    if connection.dialect.name != "sqlite":
        return []
    _equip(connection)
    return [sentence for rule in RULES for sentence in _move_all(connection, rule)]


def move_strays(connection: Connection) -> list[str]:
    """Move ended attempts whose job is not there any more."""
    return list(_move_all(connection, _STRAY)) if connection.dialect.name == "sqlite" else []


def _rules() -> Iterator[_Rule]:
    for table in _TABLES:
        for column in table.c:
            name, kinds = f'"{column.name}"', _kinds(column)
            nullable = f"{name} IS NOT NULL AND " if column.nullable else ""
            is_other = f"{nullable}typeof({name}) NOT IN ({kinds})"
            yield _Rule(table, column.name, is_other, f"not {kinds.replace(chr(39), '')}")
            if isinstance(column.type, Id):
                is_id = f"typeof({name}) = 'blob' AND length({name}) != 16"
                yield _Rule(table, column.name, is_id, "not 16 bytes")
            if "'text'" in kinds:
                is_text = f"typeof({name}) = 'text' AND NOT lightwork_is_text(CAST({name} AS BLOB))"
                yield _Rule(table, column.name, is_text, "no UTF-8")
            if column.name.endswith(("_at", "_until")):
                is_time = f"typeof({name}) = 'integer' AND {name} NOT BETWEEN 0 AND {_LATEST}"
                yield _Rule(table, column.name, is_time, "no time")
    yield _Rule(job, "policy", "NOT lightwork_is_policy(CAST(policy AS BLOB))", "not readable")
    is_priority = (
        f"typeof(priority) = 'integer' AND priority NOT BETWEEN {-(2**31)} AND {2**31 - 1}"
    )
    yield _Rule(job, "priority", is_priority, "no priority")
    is_queue = "typeof(queue) = 'text' AND length(queue) NOT BETWEEN 1 AND 100"
    yield _Rule(job, "queue", is_queue, "no name of a queue")
    for table in (job, tally):
        is_state = f"typeof(state) = 'text' AND state NOT IN ({_WORDS})"
        yield _Rule(table, "state", is_state, "no known state")


def _kinds(column: Column[Any]) -> str:
    if isinstance(column.type, Float):
        return "'real', 'integer'"
    if isinstance(column.type, Integer):
        return "'integer'"
    return "'blob'" if isinstance(column.type, Id | LargeBinary) else "'text'"


RULES: Final = tuple(_rules())
_STRAY: Final = _Rule(
    attempt, "seq", "NOT EXISTS (SELECT 1 FROM job WHERE job.seq = attempt.seq)", "of no job"
)


def _broken(connection: Connection, rule: _Rule) -> str:
    where = f"FROM {rule.table.name} WHERE {rule.condition}"
    rowids = list(connection.scalars(text(f"SELECT rowid {where} LIMIT {_EXAMPLES + 1}")))
    if not rowids:
        return ""
    count = connection.scalar(text(f"SELECT count(*) {where}"))
    named = ", ".join(map(str, rowids[:_EXAMPLES])) + " ..." * (len(rowids) > _EXAMPLES)
    key = "seq" if rule.table is job else "rowid"
    return f"{count} rows of {rule.table.name}: {rule.column} is {rule.meaning}: {key} {named}"


def _move_all(connection: Connection, rule: _Rule) -> Iterator[str]:
    for rowid in list(connection.scalars(_selected("rowid", rule))):
        content = _content(connection, rule.table, rowid)
        why = f"{rule.column} is {rule.meaning}"
        gone = connection.execute(_deleted(rule), {"rowid": rowid}).rowcount
        if gone != 1:
            raise StoreError(
                f"row {rowid} of {rule.table.name} changed while it was repaired; nothing was moved"
            )
        moved = {"kind": rule.table.name, "why": why, "content": content, "moved_at": db_now()}
        number = connection.execute(insert(damaged).values(moved)).inserted_primary_key
        assert number is not None
        yield f"row {rowid} of {rule.table.name} is row {number[0]} of damaged now: {why}"


def _selected(what: str, rule: _Rule) -> TextClause:
    return text(f"SELECT {what} FROM {rule.table.name} WHERE {rule.condition}")


def _deleted(rule: _Rule) -> TextClause:
    return text(f"DELETE FROM {rule.table.name} WHERE rowid = :rowid AND {rule.condition}")


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
