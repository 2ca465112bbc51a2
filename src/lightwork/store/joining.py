"""Joining: what must be true of a connection of the user's own, whatever database it leads to.

And whether its driver is still in a transaction, which SQLAlchemy does not know: a COMMIT by text
ends it, and on MariaDB so does any statement that changes tables (an implicit commit).
"""

from typing import Any, Final

from sqlalchemy import Connection

from lightwork.errors import UsageError

# As libpq says it, and PyMySQL.
_PQTRANS_IDLE: Final = 0
_SERVER_STATUS_IN_TRANS: Final = 1


def check_transaction(connection: Connection) -> None:
    """Raise unless what is written on it is a part of a transaction, and goes into our tables.

    Raises:
        UsageError: It commits each statement by itself, or names tables otherwise.
    """
    dialect: Any = connection.dialect
    if not connection.in_transaction():
        # As the first statement would; some engines tell their driver to begin only then.
        connection.begin()
    driver = connection.connection.dbapi_connection
    # SQLAlchemy knows this from 2.0.43 on.
    detect = getattr(dialect, "detect_autocommit_setting", None)
    # Some engines of SQLite begin one themselves.
    is_begun = _flag_of_sqlite(driver) is True
    if detect is not None and not is_begun and _detected(detect, driver):
        raise UsageError(
            "the connection commits each statement by itself (AUTOCOMMIT), so a job could be kept "
            "by half; submit in a transaction, or by `executor.submit`, which has one of its own"
        )
    translated = connection.get_execution_options().get("schema_translate_map") or {}
    if None in translated:
        raise UsageError(
            f"the connection puts tables without a schema into {translated[None]!r} "
            "(schema_translate_map), also those of lightwork; submit on a connection without that"
        )


def is_driver_in_transaction(connection: Connection) -> bool | None:
    """Whether the database has a transaction open on the connection; None: the driver does not say.

    MariaDB begins one with the first statement that needs it, as sqlite3 may.
    """
    driver: Any = connection.connection.dbapi_connection
    flag = _flag_of_sqlite(driver)
    if flag is not None:
        return flag
    # What adapts a driver for asyncio has it inside.
    driver = getattr(driver, "_connection", driver)
    status = getattr(getattr(driver, "info", None), "transaction_status", None)
    if status is not None:
        return int(status) != _PQTRANS_IDLE
    status = getattr(driver, "server_status", None)
    return None if status is None else bool(status & _SERVER_STATUS_IN_TRANS)


def _flag_of_sqlite(driver: Any) -> bool | None:
    inner = getattr(getattr(driver, "_connection", driver), "_conn", driver)
    flag = getattr(inner, "in_transaction", None)
    return flag if isinstance(flag, bool) else None


def _detected(detect: Any, driver: Any) -> bool:
    try:
        return bool(detect(driver))
    except NotImplementedError:
        return False
