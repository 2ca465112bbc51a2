"""SQLite file: what all stores of one process share that keep their jobs in one file.

One writer thread, one file lock, one watch and one pool of reading connections
per process and file, whatever number of stores is opened on it: only then do
their commits share one fsync. Found by device and inode, so that two names of
one file are one; let go of when the last store closes.

A forked child must not use any of it: SQLite forbids connections to cross a
fork, and a child that inherits the lock's file would keep it locked if the
parent died while holding it. So in the child every shared file is closed to use at
once, with an error that says to open the store again; its connections are kept
alive unused, because closing them there would disturb the parent's.

`_guard` guards `_shared` and every `_users`.
"""

import os
import threading
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from lightwork.errors import StoreError
from lightwork.store import schema
from lightwork.store.driver_errors import driver_errors
from lightwork.store.engine import (
    check_place,
    reading_engine,
    watching_connection,
    writing_engine,
)
from lightwork.store.filelock import FileLock
from lightwork.store.watch import Watch
from lightwork.store.writer import Writer

_guard = threading.Lock()
_shared: Final[dict[tuple[int, int], "SqliteFile"]] = {}
_inherited: Final[list["SqliteFile"]] = []


class SqliteFile:
    """An open file with everything that reads, writes and watches it."""

    def __init__(self, path: Path, lock: FileLock) -> None:
        where = str(path)
        status = path.stat()
        self.path = path
        self.identity = (status.st_dev, status.st_ino)
        self.lock = lock
        self.is_forked = False
        self.reader = reading_engine(path)
        with driver_errors(where):
            self.watch = Watch(watching_connection(path), where)
        self.writer = Writer(writing_engine(path), lock, where, self.watch.notify)
        self._users = 0

    def check_usable(self) -> None:
        """Raise if this process inherited the file by a fork."""
        if self.is_forked:
            raise StoreError(
                f"store {self.path} was opened before this process was forked; "
                "open it again in the child"
            )

    def let_go(self) -> None:
        """End one store's use; the last one closes the file."""
        if self.is_forked:
            return
        with _guard:
            self._users -= 1
            is_last = self._users == 0
            if is_last:
                _shared.pop(self.identity, None)
        if is_last:
            self.writer.close()
            self.watch.close()
            self.reader.dispose()
            self.lock.close()


def open_file(path: Path, *, create: bool) -> SqliteFile:
    """Return the shared file, its tables up to date.

    Raises:
        StoreError: The place or the file cannot be used.
        SchemaMismatch: Its tables are newer than this program or somebody else's.
    """
    check_place(path, create=create)
    with _guard:
        file = _find(path)
        if file is None:
            file = _open(path)
            _shared[file.identity] = file
        file._users += 1
    return file


def upgrade_file(path: Path, lock: FileLock) -> None:
    """Create or upgrade the tables; safe when several processes do so at once."""
    engine = writing_engine(path)
    # The switch to WAL needs the file for itself, hence the lock around everything.
    with lock, driver_errors(str(path)), engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA journal_mode = WAL")
        with connection.begin():
            if not schema.is_current(connection):
                schema.upgrade(connection)


def is_ready(connection: Connection) -> bool:
    """Return whether the file can be used as it is."""
    mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    return mode == "wal" and schema.is_current(connection)


def _open(path: Path) -> SqliteFile:
    lock = FileLock(path.with_name(path.name + "-lock"))
    try:
        if not _is_ready_at(path):
            upgrade_file(path, lock)
        return SqliteFile(path, lock)
    except BaseException:
        lock.close()
        raise


def _is_ready_at(path: Path) -> bool:
    if not path.exists() or path.stat().st_size == 0:
        return False
    engine = reading_engine(path)
    try:
        with driver_errors(str(path)), engine.connect() as connection:
            return is_ready(connection)
    finally:
        engine.dispose()


def _find(path: Path) -> SqliteFile | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return _shared.get((status.st_dev, status.st_ino))


def _forget_after_fork() -> None:
    global _guard  # noqa: PLW0603 - another thread may have held it when the parent forked
    _guard = threading.Lock()
    for file in _shared.values():
        file.is_forked = True
        file.lock.close()
        _inherited.append(file)
    _shared.clear()


os.register_at_fork(after_in_child=_forget_after_fork)
