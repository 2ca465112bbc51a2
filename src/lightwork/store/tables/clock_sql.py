"""Clock in SQL: the database's own time, the only clock that leases and due times know.

`db_now()` is an expression of integer milliseconds since 1970 UTC. Dialects differ:
each spelling ignores the session's time zone and has millisecond resolution, and none
is the clock of the machine that asks. SQLite's stands in sqlite/clock.py.
"""

from typing import Any, Final

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class db_now(FunctionElement[int]):  # noqa: N801 - reads as the SQL function that it is
    """Now, by the database's clock, in milliseconds since 1970 UTC."""

    type = BigInteger()
    inherit_cache = True


NOW: Final = db_now()


@compiles(db_now, "postgresql")
def _postgresql(_element: db_now, _compiler: SQLCompiler, **_options: Any) -> str:
    # Not now(): that is the start of the transaction, which may have waited for a lock.
    # In a SELECT of its own, because an index serves no comparison with a volatile function:
    # this is asked once in a statement, bare it would be asked for each row of the table.
    return "(SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT))"


@compiles(db_now, "mysql", "mariadb")
def _mysql(_element: db_now, _compiler: SQLCompiler, **_options: Any) -> str:
    return "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)"
