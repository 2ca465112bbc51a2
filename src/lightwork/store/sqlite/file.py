"""File: what all stores of one process share that keep their jobs in one file.

One writer thread, one file lock, one watch and one pool of reading connections
per process and file, whatever number of stores is opened on it: only then do
their commits share one fsync. Found by device and inode, so that two names of
one file are one; let go of when the last store closes.

A forked child must not use any of it: SQLite forbids connections to cross a
fork, and a child that inherits the lock's file would keep it locked if the
parent died while holding it. So in the child every shared file is closed at once,
by SQLite and with no thread inside of it (`fork_gate.py`), and its use is an error
that says to open the store again. Where that cannot be done in peace, the
connections are never closed there, not even when the child ends: a close in the
middle of a transaction would undo it in the memory that the parent shares. Then, and
where other code has carried a connection across the fork, the child cannot open
that file: SQLite would take the parent's locks for the child's.

`_guard` guards `_shared` and every `_users`.
"""

import ctypes
import os
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from lightwork.errors import StoreError
from lightwork.store.contracts.news import News
from lightwork.store.sql import schema
from lightwork.store.sqlite import clock
from lightwork.store.sqlite.bell.bell import Bell
from lightwork.store.sqlite.engine import check_place, connect, reading_engine, writing_engine
from lightwork.store.sqlite.errors import driver_errors
from lightwork.store.sqlite.filelock import FileLock
from lightwork.store.sqlite.fork_gate import PATIENCE, ForkGate, open_inodes
from lightwork.store.sqlite.same_file import SameFile
from lightwork.store.sqlite.wal import Wal
from lightwork.store.sqlite.watch import Watch, version_of
from lightwork.store.sqlite.writer import Writer

_guard = threading.Lock()
_shared: Final[dict[tuple[int, int], "SqliteFile"]] = {}
# Also those that are being closed: a fork must find them.
_living: Final[set["SqliteFile"]] = set()
# What this process had open when it was forked from its parent, through whatever library.
_inherited: Final[set[tuple[int, int]]] = set()
gate: Final = ForkGate()
_gate_was_shut = False


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
            connection = connect(path)
            version_of(connection)
        self.same = SameFile(path)
        # No method of this object anywhere: who forgets to close a store lets go of the file all the same.
        self.bell = bell = Bell(lock.path)
        self.watch = watch = Watch(connection, where, gate=gate, same=self.same, listen=bell.start)
        bell.on_ring = _hearing(watch)
        self.writer = Writer(
            writing_engine(path),
            lock,
            where,
            on_begin=watch.note_begin,
            on_commit=_telling(watch, lock),
            gate=gate,
            check=self.same.check,
            wal=Wal(path),
        )
        self._users = 0
        _living.add(self)

    def tell(self) -> None:
        """Wake those who wait for a change, here and in other processes."""
        self.watch.notify(News.ALL)
        self.lock.ring()

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
            self.bell.close()
            self.watch.close()
            with gate.inside():
                self.reader.dispose()
                self.lock.close()
                _living.discard(self)

    def close_inherited(self) -> None:
        """Close the connections in a forked child; no thread was inside of SQLite."""
        self.writer.close_inherited()
        self.watch.close_inherited()
        self.reader.dispose()


def _telling(watch: Watch, lock: FileLock) -> Callable[[Callable[[], bool], News], None]:
    def tell(is_alone: Callable[[], bool], news: News) -> None:
        watch.note_own(is_alone, news)
        if news:
            lock.ring()

    return tell


def _hearing(watch: Watch) -> Callable[[], None]:
    found = weakref.ref(watch)

    def hear() -> None:
        # Closed, or gone: whoever uses the store is told.
        with suppress(StoreError):
            if (heard := found()) is not None:
                heard.changes()

    return hear


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
            with gate.inside():
                file = _open(path)
            _shared[file.identity] = file
        file._users += 1
    return file


def upgrade_file(path: Path, lock: FileLock) -> None:
    """Create or upgrade the tables; safe when several processes do so at once."""
    engine = writing_engine(path, create=True)
    # The switch to WAL needs the file for itself, hence the lock around everything.
    with lock, driver_errors(str(path)), engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA journal_mode = WAL")
        with connection.begin():
            if not schema.is_current(connection):
                schema.upgrade(connection)
            clock.set_clock(connection)


def lock_of(path: Path) -> FileLock:
    """Return a lock of the file, open."""
    return FileLock(path.with_name(path.name + "-lock"))


def is_ready(connection: Connection) -> bool:
    """Return whether the file can be used as it is."""
    mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    return mode == "wal" and schema.is_current(connection) and clock.is_set(connection)


def _open(path: Path) -> SqliteFile:
    _check_not_inherited(path)
    is_ready = _is_ready_at(path)
    lock = lock_of(path)
    try:
        if not is_ready:
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
    identity = _identity(path)
    return None if identity is None else _shared.get(identity)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _check_not_inherited(path: Path) -> None:
    identity = _identity(path)
    if identity in _inherited and identity in open_inodes():
        raise StoreError(
            f"store {path}: this process was forked while the file was open, and SQLite would take "
            "the parent's locks for its own; start it with `spawn` or `forkserver`, or close "
            "the store (and connections of your own) before the fork"
        )


def _before_fork() -> None:
    global _gate_was_shut  # noqa: PLW0603 - from one hook to the next, in the thread that forks
    # A Ctrl-C in the hook stops no fork.
    _gate_was_shut = False
    _gate_was_shut = gate.shut(PATIENCE)


def _after_fork_in_child() -> None:
    global _guard  # noqa: PLW0603 - another thread may have held it when the parent forked
    _guard = threading.Lock()
    gate.forget()
    for file in _living:
        file.is_forked = True
        file.lock.close()
        file.bell.close_inherited()
        if _gate_was_shut:
            file.close_inherited()
        else:
            # For ever: one reference that nobody gives back.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(file))
    _living.clear()
    _shared.clear()
    _inherited.update(open_inodes())


os.register_at_fork(
    before=_before_fork, after_in_parent=gate.open, after_in_child=_after_fork_in_child
)
