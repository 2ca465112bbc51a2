"""Together: one statement for many rows of parameters, where one by one each would be planned anew.

    UPDATE running SET begun = 1 WHERE seq = :b_seq AND attempt = :b_number
    UPDATE running SET begun = 1 FROM given WHERE seq = given.b_seq AND attempt = given.b_number

`given` is whatever a dialect can say for a table of parameters, with a column for each. A move,
elsewhere an INSERT and a DELETE, becomes one statement, if the dialect can insert what it
deletes; it then moves what its guard lets go, and nothing else. Pure: statements in, statements out.

No row of parameters may be given twice: a row is changed once, however often it is named.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BindParameter,
    Dialect,
    FromClause,
    Insert,
    Select,
    Table,
    bindparam,
    insert,
    select,
)
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.visitors import replacement_traverse
from sqlalchemy.types import TypeEngine

from lightwork.store.sql.moves import Move


def parameters_of(statement: UpdateBase, dialect: Dialect) -> dict[str, TypeEngine[Any]]:
    """Return the names of what comes with each row, and the types."""
    binds = statement.compile(dialect=dialect).binds
    return {name: bind.type for name, bind in binds.items() if name.startswith("b_")}


def selected(values: Mapping[str, Any], table: Table) -> Select[Any]:
    """Return what an INSERT of these values inserts, as a SELECT, which a table of rows can join.

    It does not know by itself which types the parameters have.
    """
    typed = (
        bindparam(value.key, type_=table.c[name].type)
        if isinstance(value, BindParameter)
        else value
        for name, value in values.items()
    )
    return select(*typed)


def together(statement: UpdateBase, given: FromClause) -> UpdateBase:
    """Return the statement for all rows of `given`."""

    def column_of(element: Any, **_options: Any) -> Any:
        is_given = isinstance(element, BindParameter) and element.key in given.c
        return given.c[element.key] if is_given else None

    found: UpdateBase = replacement_traverse(statement, {}, column_of)  # type: ignore[assignment] # of the same class
    return found


def moving(move: Move) -> Insert:
    """Return a move as one statement, whose row count is the number of jobs that it moved."""
    gone = move.taking.cte("gone")
    return insert(move.insert.table).from_select(list(gone.c.keys()), select(*gone.c))
