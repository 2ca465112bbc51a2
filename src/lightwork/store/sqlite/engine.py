"""Engine: from a URL to connections of a SQLite file, refusing what cannot work.

All refusals happen before anything is created or changed. The connections obey
four rules:

- WAL: readers never wait for the writer, nor it for them.
- synchronous=FULL: what was committed survives a power cut.
- Transactions are begun here (BEGIN IMMEDIATE where they write), never by the
  driver: its own BEGIN comes late, and a transaction that reads first and writes
  later fails at once when another commit came between.
- busy_timeout: second line behind the file lock, against programs that do not
  know it.

Nobody but SQLite opens the file, not even to read its first bytes. POSIX drops all
locks that a process holds on a file as soon as it closes any descriptor of it; then
the next process that closes the database takes itself for the last one and deletes
the WAL under the living. So whether it is a database is SQLite's to say, and only
who may create a store lets SQLite create a file.
"""

import functools
import os
import sqlite3
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    NullPool,
    create_engine,
    event,
    exc,
)

from lightwork.errors import StoreError, UsageError
from lightwork.store.sql.engines.pool import UNBOUNDED, StorePool
from lightwork.store.sqlite.clock import equip
from lightwork.store.sqlite.wal import CUT
from lightwork.store.urls import parse, safe_url

# RETURNING is as old.
OLDEST_SQLITE: Final = (3, 35, 0)
# What makes rows of a list; a part of its own before 3.38, which who builds SQLite may leave out.
TABLE_FUNCTION = "json_each"
BUSY_TIMEOUT: Final = 30.0
_readable: Final = functools.partial(str, encoding="utf-8", errors="backslashreplace")
# Where WAL's shared memory or flock does not reach all who mount it.
_NETWORK_TYPES: Final = frozenset(
    ["nfs", "nfs3", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs", "ceph"]
    + ["lustre", "gpfs", "beegfs", "glusterfs", "davfs"]
    + [f"fuse.{name}" for name in ("sshfs", "glusterfs", "ceph", "s3fs", "rclone", "davfs")]
)


def sqlite_path(url: str) -> Path:
    """Return the file that a URL names.

    Raises:
        UsageError: It is not that of an ordinary file.
    """
    parsed = parse(url)
    if parsed.get_driver_name() != "pysqlite":
        raise UsageError(
            f"store {safe_url(url)}: SQLite is used without a driver of its own; "
            "expected sqlite:///path/to/file.db"
        )
    name = parsed.database or ""
    if parsed.host:
        raise UsageError(
            f"store {safe_url(url)}: a slash is missing, {parsed.host!r} would be the name of a "
            f"machine; three before a path in this folder, sqlite:///{parsed.host}"
            f"{'/' + name if name else ''}, and four before an absolute one"
        )
    if name in {"", ":memory:"} or name.startswith("file:"):
        raise UsageError(
            f"store {safe_url(url)}: a store must be an ordinary file, because other threads and processes "
            "open it too and memory ends with the process; expected sqlite:///path/to/file.db"
        )
    if parsed.query:
        raise UsageError(
            f"store {safe_url(url)}: options after '?' are not supported; leave them out"
        )
    # Links resolved: whatever the name, all must meet at one lock file.
    return Path(name).resolve()


def sqlite_url(path: Path) -> str:
    """Return the URL of a file, good in every folder."""
    return engine_url(path).render_as_string(hide_password=False)


def _check_library() -> None:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreError(
            f"SQLite {sqlite3.sqlite_version} is too old: 3.35 or later is needed; "
            "use a Python built with a newer one"
        )
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute(f"SELECT count(*) FROM {TABLE_FUNCTION}('[1]')")  # noqa: S608 - a constant
    except sqlite3.OperationalError as error:
        raise StoreError(
            f"SQLite {sqlite3.sqlite_version} was built without JSON ({error}), which it has by itself "
            "from 3.38 on; use a Python with a newer one"
        ) from error
    finally:
        connection.close()


def check_place(path: Path, *, create: bool) -> None:
    """Raise unless a store can live at the path; changes nothing.

    Raises:
        StoreError: It cannot; the text says why and what to do.
    """
    _check_library()
    if not path.parent.is_dir():
        raise StoreError(f"store {path}: there is no folder {path.parent}; create it first")
    if path.is_dir():
        raise StoreError(f"store {path} is a folder; name a file in it")
    if path.exists():
        _check_file(path)
    elif not create:
        raise StoreError(
            f"store {path} does not exist; create it with `lightwork db init {sqlite_url(path)}`"
        )
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise StoreError(
            f"store {path}: SQLite keeps files beside it, but the folder {path.parent} is "
            "read-only for this user; make it writable"
        )
    if kind := network_type(path, _mounts()):
        raise StoreError(
            f"store {path} lies on a network file system ({kind}), where SQLite's locks do not "
            "hold and jobs would be lost; use a local disk"
        )


def network_type(path: Path, mounts: str) -> str:
    """Return the type of the network file system that holds the path, or "".

    Args:
        path: An existing file or folder, or a file to be.
        mounts: Text in the format of /proc/mounts.
    """
    real, best, found = os.path.realpath(path), -1, ""
    for line in mounts.splitlines():
        fields = line.split()
        point = fields[1].encode().decode("unicode_escape")  # a blank is written \\040
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        # The last of equal ones covers the others.
        if inside and len(point) >= best:
            best, found = len(point), fields[2]
    return found if found in _NETWORK_TYPES else ""


def reading_engine(path: Path) -> Engine:
    """Return an engine whose transactions only read, each a consistent snapshot."""
    # No upper bound: one connection per reading thread, five of them kept.
    engine = create_engine(
        engine_url(path),
        creator=lambda: connect(path),
        poolclass=StorePool,
        pool_size=5,
        max_overflow=UNBOUNDED,
    )
    event.listen(engine, "connect", _prepare_reader)
    event.listen(engine, "begin", _begin("BEGIN"))
    return engine


def writing_engine(path: Path, *, create: bool = False) -> Engine:
    """Return an engine whose transactions hold the write lock from their start."""
    engine = create_engine(
        engine_url(path), creator=lambda: connect(path, create=create), poolclass=NullPool
    )
    event.listen(engine, "connect", prepare_writer)
    event.listen(engine, "begin", _begin("BEGIN IMMEDIATE"))
    return engine


def connect(
    path: Path, *, create: bool = False, factory: type[sqlite3.Connection] = sqlite3.Connection
) -> sqlite3.Connection:
    """Return a plain connection, for any thread; create: make the file if there is none.

    A file that was deleted must not come back empty under a program that has it open.
    """
    uri = f"file:{quote(str(path))}?mode={'rwc' if create else 'rw'}"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, factory=factory
    )
    # Bytes that are no UTF-8 would otherwise fail the whole fetch, and with it whoever reads.
    connection.text_factory = _readable
    equip(connection)
    return connection


def engine_url(path: Path) -> URL:
    """Return the URL as SQLAlchemy shows it."""
    return URL.create("sqlite", database=str(path))


def _check_file(path: Path) -> None:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise StoreError(f"store {path} is not an ordinary file; name another")
    if not os.access(path, os.R_OK | os.W_OK):
        raise StoreError(f"store {path}: this user may not read and write it; change its mode")
    if status.st_nlink > 1:
        # SQLite would keep a WAL for each name: two programs would destroy the file.
        raise StoreError(
            f"store {path} has {status.st_nlink} names (hard links), and SQLite keeps the latest "
            "commits beside one name only; remove the others (`find -samefile` lists them), or "
            "use a symbolic link, or a copy"
        )


def _begin(statement: str) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert driver is not None
        # Not through SQLAlchemy, which would take 40 us in each transaction; its error it is.
        try:
            driver.execute(statement)
        except sqlite3.Error as error:
            raise exc.DBAPIError.instance(statement, (), error, sqlite3.Error) from error

    return begin


def _mounts() -> str:
    try:
        return Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _prepare_reader(connection: sqlite3.Connection, _record: object) -> None:
    _run_pragmas(connection, {"busy_timeout": int(BUSY_TIMEOUT * 1000), "query_only": "ON"})


def prepare_writer(connection: sqlite3.Connection, _record: object) -> None:
    """Let a new connection write as ours do."""
    # The writer copies the WAL itself, at a time when nobody waits for it: see wal.py.
    pragmas = {
        "busy_timeout": int(BUSY_TIMEOUT * 1000),
        "synchronous": "FULL",
        "wal_autocheckpoint": 0,
        "journal_size_limit": CUT,
    }
    _run_pragmas(connection, pragmas)


def _run_pragmas(connection: sqlite3.Connection, pragmas: Mapping[str, Any]) -> None:
    connection.isolation_level = None
    for name, value in pragmas.items():
        connection.execute(f"PRAGMA {name} = {value}")
