"""Join: a connection of the user's own, made ready for what we write in its transaction.

It takes its turn among the writers once: if no transaction is open in the driver yet, it is begun
here, under the lock for which all writers queue, and with the lock for writing. The queue is
left at once; whoever comes next waits for the end of the transaction as long as SQLite waits.
Where one is open already it may hold SQLite's lock, and to queue could be to wait for oneself.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from lightwork.errors import UsageError
from lightwork.store.sqlite.clock import equip
from lightwork.store.sqlite.errors import driver_errors
from lightwork.store.sqlite.filelock import FileLock
from lightwork.store.sqlite.sessions.begun import is_savepoint_bare


def file_of(connection: Connection) -> str:
    """Return the file that a connection leads to; "": none."""
    for row in connection.exec_driver_sql("PRAGMA database_list"):
        if row[1] == "main":
            return str(row[2] or "")
    return ""


def join(connection: Connection, path: Path, open_lock: Callable[[Path], FileLock]) -> None:
    """Make the connection ready.

    Raises:
        UsageError: What is written in it could not be undone.
    """
    if is_savepoint_bare(connection):
        raise UsageError(
            "this savepoint is in no transaction, because sqlite3 begins one at the first change only: "
            "to release it would commit. Change or submit something before `begin_nested()`, or let the "
            'engine begin itself: `@event.listens_for(engine, "begin")` with '
            '`connection.exec_driver_sql("BEGIN")`, and `isolation_level=None` for its connections'
        )
    driver: Any = connection.connection.dbapi_connection
    equip(driver)
    # aiosqlite has a thread of its own, and there it waits.
    if isinstance(driver, sqlite3.Connection) and not driver.in_transaction:
        _begin(driver, path, open_lock)


def _begin(driver: sqlite3.Connection, path: Path, open_lock: Callable[[Path], FileLock]) -> None:
    with driver_errors(str(path)):
        if asyncio._get_running_loop() is not None:
            driver.execute("BEGIN IMMEDIATE")
            return
        lock = open_lock(path)
        try:
            with lock:
                driver.execute("BEGIN IMMEDIATE")
        finally:
            lock.close()
