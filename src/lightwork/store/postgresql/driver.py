"""Driver: a single statement goes to psycopg as it is, which takes less time than SQLAlchemy needs for it.

Whatever the driver raises is thrown away and the statement executed again by SQLAlchemy: it knows what an error
means for the connection and for all others. If the connection is lost, that fails at once; else
nothing was done, for a statement is all or none.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Dialect, SelectBase


def rows_of(connection: Connection, text: str, values: Mapping[str, Any]) -> list[Any]:
    """Return the rows, as tuples or as what can be read as such, of one statement."""
    driver: Any = connection.connection.driver_connection
    # In a transaction SQLAlchemy has to know of each statement.
    if driver.autocommit:
        try:
            found = driver.execute(text, values)
        except Exception:  # noqa: S110 - see above
            pass
        else:
            return list(found.fetchall())
    return list(connection.exec_driver_sql(text, values))


def do(connection: Connection, text: str) -> None:
    """Do what the text says, statements without parameters or rows, as one message."""
    driver: Any = connection.connection.driver_connection
    if driver.autocommit:
        try:
            driver.execute(text)
        except Exception:  # noqa: S110 - see above
            pass
        else:
            return
    connection.exec_driver_sql(text).close()


def with_constants(statement: SelectBase, dialect: Dialect, **values: int) -> str:
    """Return its text, in which only what is given with each execution is a parameter."""
    compiled = statement.compile(dialect=dialect)
    text = str(compiled)
    for name, value in (compiled.params | values).items():
        if isinstance(value, int):
            text = text.replace(f"%({name})s", str(value))
        elif value is not None:
            text = text.replace(f"%({name})s", f"'{value}'")
    return text
