"""Clock in SQL: the database's own time, the only clock that leases and due times know.

`db_now()` is an expression of integer milliseconds since 1970 UTC. It is one of
the few places where dialects differ; each spelling ignores the session's time
zone and has millisecond resolution. None of them is the clock of the machine that asks.
"""

from typing import Any, Final

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from lightwork.clock import boot_id

# Letters, digits and hyphens: it may stand in a statement as it is.
BOOT: Final = "".join(letter for letter in boot_id() if letter.isalnum() or letter == "-")


class db_now(FunctionElement[int]):  # noqa: N801 - reads as the SQL function that it is
    """Now, by the database's clock, in milliseconds since 1970 UTC."""

    type = BigInteger()
    inherit_cache = True


@compiles(db_now, "sqlite")
def _sqlite(_element: db_now, _compiler: SQLCompiler, **_options: Any) -> str:
    # Not julianday('now'): that is the wall clock of whoever writes. See sqlite_clock.py.
    return f"(lightwork_uptime() + (SELECT ahead FROM clock WHERE boot = '{BOOT}'))"  # noqa: S608


@compiles(db_now, "postgresql")
def _postgresql(_element: db_now, _compiler: SQLCompiler, **_options: Any) -> str:
    # Not now(): that is the start of the transaction, which may have waited for a lock.
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"


@compiles(db_now, "mysql", "mariadb")
def _mysql(_element: db_now, _compiler: SQLCompiler, **_options: Any) -> str:
    return "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)"
