"""Begun: which transactions of SQLite a thread has begun, of whatever engine, as far as SQLAlchemy begins them.

A thread with an open write on a file that has the writer write the same file waits for itself:
SQLite takes one writer at a time, and would say "database is locked" half a minute later. So
before it waits, its own connections are looked at. A hook on all engines of the process takes
a note of each transaction that begins (5 us on a busy machine), once a store in a file is open.

A connection has written if its count of changed rows has grown since. Who has begun with BEGIN
IMMEDIATE and changed nothing yet holds the lock too: then this process has it, as the kernel
says (byte 120 of the WAL's index), nobody else here has begun anything, and the store's own writer was not
at work meanwhile: it has the lock also when it tries to begin the WAL anew.
"""

import functools
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Engine, event, exc

from lightwork.errors import UsageError

# Where the lock for writing lies in the index of a WAL: https://sqlite.org/walformat.html
_WRITE_LOCK: Final = 120


class _Begun(NamedTuple):
    """One transaction that a thread has begun."""

    thread: int
    changes: int


# The end of the connection takes the entry away, by no line of Python (see `_note`).
_begun: Final[dict["weakref.ref[Connection]", _Begun]] = {}
# Connections whose savepoint the driver did not put into a transaction.
_bare: Final[weakref.WeakSet[Connection]] = weakref.WeakSet()


@functools.cache
def take_note() -> None:
    """Begin to take a note of what begins."""
    event.listen(Engine, "begin", _note)
    event.listen(Engine, "savepoint", _note_savepoint)


def is_savepoint_bare(connection: Connection) -> bool:
    """Whether a savepoint is all that this transaction has: to release it commits."""
    return connection in _bare and connection.in_nested_transaction()


def check_not_writing(path: Path, steps: Callable[[], int]) -> None:
    """Raise if this thread has an open write on the file.

    Args:
        path: Of the file.
        steps: Of the store's own writer, odd while it is at work.

    Raises:
        UsageError: To wait for the lock would be to wait for oneself.
    """
    thread = threading.get_ident()
    mine = [(which, one) for which, one in _begun.copy().items() if one.thread == thread]
    for which, one in mine:
        driver = _open_on(which, path)
        if driver is not None and (
            driver.total_changes > one.changes or _holds_the_lock(which, path, steps)
        ):
            raise UsageError(
                f"store {path}: this thread has a transaction of its own open on the file, which has "
                "written, and would wait for itself. Submit in it, "
                "`executor.using(session).submit(...)`, or end it first: `session.commit()`"
            )


def _note(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    _bare.discard(connection)
    driver = _driver_of(connection)
    if driver is not None:
        # Called with the reference itself. A function of Python would lose the Ctrl-C that
        # comes while it runs: what a collector calls can raise nothing.
        reference = weakref.ref(connection, _begun.pop)
        # The reference that was the key has to go as well: there must be one to take away.
        _begun.pop(reference, None)
        _begun[reference] = _Begun(threading.get_ident(), driver.total_changes)


def _note_savepoint(connection: Connection, _name: object) -> None:
    if connection.dialect.name == "sqlite":
        driver = _driver_of(connection)
        is_late = getattr(driver, "is_begun_late", False)
        if driver is not None and not (driver.in_transaction or is_late):
            _bare.add(connection)


def _holds_the_lock(which: "weakref.ref[Connection]", path: Path, steps: Callable[[], int]) -> bool:
    before = steps()
    others = (other for other in _begun.copy() if other is not which)
    is_alone = before % 2 == 0 and all(_open_on(other, path) is None for other in others)
    return is_alone and os.getpid() in _lockers(path) and steps() == before


def _open_on(which: "weakref.ref[Connection]", path: Path) -> sqlite3.Connection | None:
    """Return the driver's connection if its transaction is open and on the file."""
    connection = which()
    if connection is None or connection.closed or not connection.in_transaction():
        return None
    driver = _driver_of(connection)
    if driver is None or not driver.in_transaction:
        return None
    name = connection.engine.url.database
    return None if name and not _is_same(name, path) else driver


def _is_same(name: str, path: Path) -> bool:
    try:
        return Path(name).samefile(path)
    except OSError:
        return False


def _driver_of(connection: Connection) -> sqlite3.Connection | None:
    """Return the connection of sqlite3, which aiosqlite has inside of its own."""
    try:
        driver: Any = connection.connection.driver_connection
    except exc.SQLAlchemyError:
        return None
    driver = getattr(driver, "_conn", driver)
    return driver if isinstance(driver, sqlite3.Connection) else None


def _lockers(path: Path) -> Iterator[int]:
    """Yield the processes that may write the file now, as the kernel knows its locks."""
    status = path.with_name(path.name + "-shm").stat()
    inode = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    # Nobody opens the index itself: closing it would drop this process's locks.
    for line in Path("/proc/locks").read_text().splitlines():
        words = line.split()
        if inode in words and "WRITE" in words:
            pid, first, last = words[-4], words[-2], words[-1]
            if int(first) <= _WRITE_LOCK and (last == "EOF" or int(last) >= _WRITE_LOCK):
                yield int(pid)
