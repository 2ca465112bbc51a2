"""Database: a SQLite file, as one store uses it; see store/database.py for each method."""

import os
import sqlite3
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Pool

from lightwork.errors import StoreError, UsageError
from lightwork.store.contracts.news import News, never
from lightwork.store.sql.engines.job_engine import JobEngine
from lightwork.store.sqlite import clock
from lightwork.store.sqlite.engine import check_place, reading_engine, sqlite_path, sqlite_url
from lightwork.store.sqlite.errors import driver_errors
from lightwork.store.sqlite.file import SqliteFile, gate, lock_of, open_file, upgrade_file
from lightwork.store.sqlite.sessions import job_engine
from lightwork.store.sqlite.sessions.begun import check_not_writing, take_note
from lightwork.store.sqlite.sessions.join import file_of, join
from lightwork.store.sqlite.spelling import SPELLING
from lightwork.store.sqlite.worker_signs import WorkerSigns
from lightwork.store.urls import not_ours

T = TypeVar("T")

# What SQLite and the store keep beside the file.
_BESIDE: Final = ("", "-wal", "-shm", "-journal", "-lock")


def open_database(url: str, *, create: bool) -> "SqliteDatabase":
    """Open the file that a URL names; make or upgrade its tables where that is needed."""
    return SqliteDatabase(sqlite_path(url), create=create)


@contextmanager
def connect(url: str) -> Iterator[Connection]:
    """Connect to a file that is there, to look at its tables whatever they are."""
    path = sqlite_path(url)
    check_place(path, create=False)
    engine = reading_engine(path)
    try:
        with driver_errors(str(path)), engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def upgrade(url: str) -> None:
    """Make the tables of a file, or bring them up to date."""
    path = sqlite_path(url)
    check_place(path, create=True)
    lock = lock_of(path)
    try:
        upgrade_file(path, lock)
    finally:
        lock.close()


def open_job_engine(url: str) -> JobEngine:
    """Return connections for jobs that run in this process."""
    return job_engine.open_job_engine(sqlite_path(url), lock_of)


def backup(url: str, place: Path) -> None:
    """Write the file, as it is at one moment, into a new one; writers go on meanwhile.

    Whole or not at all: what is written has another name until it is found to be sound.

    Raises:
        UsageError: There is a file of this name, or there can be none.
        StoreError: What was written is not sound.
    """
    if place.exists():
        raise UsageError(f"{place} is there already; a backup is written into a new file")
    part = place.with_name(place.name + ".part")
    with connect(url) as connection:
        try:
            part.unlink(missing_ok=True)
            # Whoever may not read the one may not read the other.
            mode = sqlite_path(url).stat().st_mode & 0o777
            os.close(os.open(part, os.O_CREAT | os.O_EXCL, mode))
        except OSError as error:
            raise UsageError(f"no backup can be written to {place}: {error.strerror}") from error
        driver: Any = connection.connection.driver_connection
        with closing(sqlite3.connect(part)) as target:
            # In one step, which is one snapshot: in several, each commit would begin it anew.
            driver.backup(target)
            (found,) = target.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise StoreError(f"{part} is not sound: {found}; is the disk full, or {url} damaged?")
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.rename(place)


def files_of(url: str) -> list[Path]:
    """Return the file and what lies beside it, there or not."""
    path = sqlite_path(url)
    return [path.with_name(path.name + ending) for ending in _BESIDE]


class SqliteDatabase:
    """Writes go through the file's one writer thread, reads through connections of their own."""

    spelling: Final = SPELLING
    largest_value: Final = 1_000_000_000

    def __init__(self, path: Path, *, create: bool) -> None:
        self.url = sqlite_url(path)
        self._where = str(path)
        self._file: SqliteFile | None = open_file(path, create=create)
        self._is_hurried = False
        # Whose connections are known to lead to this file.
        self._joined: weakref.WeakSet[Pool] = weakref.WeakSet()
        take_note()
        self.signs = WorkerSigns(path.with_name(path.name + "-workers"))

    def read(self, read: Callable[[Connection], T]) -> T:
        """Return what `read` returns, which sees one snapshot."""
        file = self.file
        with (
            gate.inside(),
            file.same,
            driver_errors(self._where),
            file.reader.connect() as connection,
        ):
            return read(connection)

    def look(self, look: Callable[[Connection], T]) -> T:
        """Do the same: it costs nothing more."""
        return self.read(look)

    def write(
        self,
        write: Callable[[Connection], T],
        *,
        is_quiet: bool = False,
        is_submit: bool = False,
        is_alone: bool = False,  # noqa: ARG002 - several share a transaction here
        is_once: bool = False,  # noqa: ARG002 - no commit is ever in doubt here
        is_end: Callable[[T], bool] = never,
    ) -> T:
        """Return what `write` returns, once that is committed."""
        check_not_writing(self.file.path, lambda: self.file.writer.steps)
        news = News.NONE if is_quiet else News.WORK if is_submit else News.ALL
        return self.file.writer.post(
            write, is_hurried=lambda: self._is_hurried, news=news, is_end=is_end
        )

    def write_soon(
        self,
        write: Callable[[Connection], T],
        *,
        is_submit: bool = False,
        is_alone: bool = False,  # noqa: ARG002 - as for `write`
        begin: Callable[[Connection], Callable[[], T]] | None = None,  # noqa: ARG002 - nor here
    ) -> Future[T]:
        """Do the same without waiting."""
        return self.file.writer.post_soon(write, News.WORK if is_submit else News.ALL)

    def join(self, connection: Connection) -> None:
        """Make a connection of the user's own ready for our statements."""
        file = self.file
        pool = connection.engine.pool
        if pool not in self._joined:
            self._check_same(file, connection)
            self._joined.add(pool)
        join(connection, file.path, lock_of)

    def identity(self) -> object:
        """Return what the system calls the file."""
        return self.file.identity

    def note_commit(self) -> None:
        """Wake those who wait for changes."""
        if (file := self._file) is not None and not file.is_forked:
            file.tell()

    def changes(self) -> int:
        """Return a number that differs after any commit by anybody."""
        return self.file.watch.changes()

    def wait(self, seen: int, timeout: float, *, news: News = News.ALL) -> int:
        """Wait until `changes()` differs from `seen` or the time is up; return it."""
        return self.file.watch.wait(seen, timeout, news=news)

    def sweep(self) -> None:
        """Do nothing: what is deleted is gone."""

    def hurry(self) -> None:
        """Let no call wait for longer than a second any more."""
        self._is_hurried = True

    def align_clock(self) -> float:
        """Bring the file's clock a step nearer to the wall clock; return by how much it was off."""
        off = self.read(clock.ahead_of_database)
        if abs(off) >= clock.STEP:
            self.write(clock.align)
        return off / 1000

    def close(self) -> None:
        """Let go of the file; idempotent."""
        file, self._file = self._file, None
        if file is not None:
            file.let_go()

    def _check_same(self, file: SqliteFile, connection: Connection) -> None:
        name = file_of(connection) if connection.dialect.name == "sqlite" else ""
        found = Path(name).stat() if name else None
        if found is None or (found.st_dev, found.st_ino) != file.identity:
            raise not_ours(connection, self.url)

    @property
    def file(self) -> SqliteFile:
        """The file, which all stores of this process share.

        Raises:
            StoreError: It was closed, or inherited by a fork.
        """
        file = self._file
        if file is None:
            raise StoreError(f"store {self._where} was closed; open it again")
        file.check_usable()
        return file
