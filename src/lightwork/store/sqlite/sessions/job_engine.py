"""Job engine: connections of a SQLite file for jobs that change it in their own transaction.

They take their turn among the writers (filelock.py). A transaction is begun by its first statement,
with the lock for writing, and not earlier: a job that computes for a minute and then writes holds up
nobody for a minute. The lock is the driver connection's own: it is let go of by whatever ends the
transaction, and by the kernel if that is SIGKILL.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, exc

from lightwork.store.sql.engines.job_engine import JobEngine
from lightwork.store.sql.engines.pool import UNBOUNDED, StorePool
from lightwork.store.sqlite.engine import connect, engine_url, prepare_writer
from lightwork.store.sqlite.filelock import FileLock
from lightwork.store.sqlite.same_file import SameFile
from lightwork.store.sqlite.sessions.begun import take_note
from lightwork.store.sqlite.spelling import SPELLING


class JobConnection(sqlite3.Connection):
    """A connection that begins late, and holds the lock of the writers meanwhile."""

    # Savepoints come before the first statement, which begins: see begun.py.
    is_begun_late = True
    _lock: FileLock | None = None
    _is_held = False
    _same: SameFile | None = None

    def equip(self, path: Path, lock: FileLock) -> None:
        """Give it what only its file knows."""
        self._path = path
        self._lock = lock

    def begin(self) -> None:
        """Begin, when it is its turn."""
        assert self._lock is not None
        self._lock.__enter__()
        self._is_held = True
        try:
            self.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._let_go()
            raise
        # By now all of them are there.
        self._same = self._same or SameFile(self._path)

    def commit(self) -> None:
        """Commit, if what is committed lasts."""
        try:
            if self._same is not None and self._lock is not None and self._is_held:
                self._same.check()
                super().commit()
                self._same.check()
                self._lock.ring()
            else:
                super().commit()
        finally:
            self._let_go()

    def rollback(self) -> None:
        """Undo it."""
        try:
            super().rollback()
        finally:
            self._let_go()

    def close(self) -> None:
        """Close it, which undoes what is open."""
        try:
            super().close()
        finally:
            self._let_go()
            if self._lock is not None:
                self._lock.close()

    def _let_go(self) -> None:
        if self._is_held and self._lock is not None:
            self._is_held = False
            self._lock.__exit__()


def open_job_engine(path: Path, open_lock: Callable[[Path], FileLock]) -> JobEngine:
    """Return connections for jobs of this process."""

    def make() -> sqlite3.Connection:
        made = connect(path, factory=JobConnection)
        assert isinstance(made, JobConnection)
        try:
            made.equip(path, open_lock(path))
        except BaseException:
            made.close()
            raise
        return made

    engine = create_engine(
        engine_url(path), creator=make, poolclass=StorePool, pool_size=1, max_overflow=UNBOUNDED
    )
    event.listen(engine, "connect", prepare_writer)
    event.listen(engine, "before_cursor_execute", _begin_late)
    take_note()
    return JobEngine(engine, SPELLING, lambda _error: False)


def _begin_late(connection: Connection, *_: Any) -> None:
    driver = connection.connection.driver_connection
    assert isinstance(driver, JobConnection)
    if not driver.in_transaction:
        try:
            driver.begin()
        except sqlite3.Error as error:
            raise exc.DBAPIError.instance("BEGIN IMMEDIATE", (), error, sqlite3.Error) from error
