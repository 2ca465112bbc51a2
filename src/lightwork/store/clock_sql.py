"""Clock in SQL: the database's own time, the only clock that leases and due times know.

`db_now()` is an expression of integer milliseconds since 1970 UTC. It is one of
the few places where dialects differ; each spelling ignores the session's time
zone and has millisecond resolution.
"""

from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class db_now(FunctionElement[int]):  # noqa: N801 - reads as the SQL function that it is
    """Now, by the database's clock, in milliseconds since 1970 UTC."""

    type = BigInteger()
    inherit_cache = True


@compiles(db_now, "sqlite")
def _sqlite(_element: db_now, _compiler: SQLCompiler, **_options: Any) -> str:
    # 2440587.5 is 1970-01-01 as a Julian day; unixepoch('subsec') needs SQLite 3.42.
    return "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"


@compiles(db_now, "postgresql")
def _postgresql(_element: db_now, _compiler: SQLCompiler, **_options: Any) -> str:
    # Not now(): that is the start of the transaction, which may have waited for a lock.
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"


@compiles(db_now, "mysql", "mariadb")
def _mysql(_element: db_now, _compiler: SQLCompiler, **_options: Any) -> str:
    return "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)"
