"""Errors of the driver, mapped once: what a database says, in the words of errors.py.

StoreUnavailable means that the same call may succeed later; StoreError that
somebody must act first; SchemaMismatch that program and file do not fit. The
driver's own exception stays attached as the cause.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from sqlalchemy import exc

from lightwork.errors import SchemaMismatch, StoreError, StoreUnavailable

# By SQLite's primary result code; extended codes start with the primary one's name.
_SQLITE: Final[Mapping[str, tuple[type[StoreError], str]]] = {
    "SQLITE_BUSY": (StoreUnavailable, "another program keeps it locked; end that program's write"),
    "SQLITE_LOCKED": (StoreUnavailable, "another connection keeps a table locked; try again"),
    "SQLITE_FULL": (StoreUnavailable, "disk full: free some space; nothing was changed"),
    "SQLITE_IOERR": (StoreUnavailable, "the disk reported an error; look at the system's log"),
    "SQLITE_NOMEM": (StoreUnavailable, "out of memory; nothing was changed"),
    "SQLITE_PROTOCOL": (StoreUnavailable, "too many processes opened it at once; try again"),
    "SQLITE_READONLY": (StoreError, "it is read-only; let this user write the file and its folder"),
    "SQLITE_PERM": (StoreError, "access is denied; let this user write the file and its folder"),
    # Also where this process has no descriptor left, or the file is away for a moment.
    "SQLITE_CANTOPEN": (
        StoreUnavailable,
        "it cannot be opened; check that its folder may be written, and how many files are open",
    ),
    "SQLITE_CORRUPT": (
        StoreError,
        "the file is damaged; try `lightwork db check --repair`, else restore a copy or `sqlite3 .recover`",
    ),
    "SQLITE_NOTADB": (StoreError, "the file is not a SQLite database; name another file"),
    "SQLITE_TOOBIG": (
        StoreError,
        "a value is larger than SQLite can keep (1 GB); store it elsewhere",
    ),
}
_FOREIGN_SCHEMA: Final = ("no such table", "no such column", "has no column")


@contextmanager
def driver_errors(where: str) -> Iterator[None]:
    """Turn what a driver raises inside the block into errors about the store `where`."""
    try:
        yield
    except (exc.DBAPIError, exc.TimeoutError, sqlite3.Error) as error:
        raise store_error(error, where) from error


def store_error(error: Exception, where: str) -> StoreError:
    """Return our error for a driver's."""
    cause = error.orig if isinstance(error, exc.DBAPIError) and error.orig else error
    if isinstance(error, exc.TimeoutError):
        return StoreUnavailable(
            f"store {where}: no free connection; fewer threads may read at once"
        )
    for code, (kind, advice) in _SQLITE.items():
        if str(getattr(cause, "sqlite_errorname", "")).startswith(code):
            return kind(f"store {where}: {advice} (SQLite said: {cause})")
    if any(sign in str(cause) for sign in _FOREIGN_SCHEMA):
        return SchemaMismatch(
            f"store {where}: its tables are not those of this program ({cause}); "
            f"run `lightwork db check sqlite:///{where}`"
        )
    return StoreError(f"store {where}: the database refused a statement: {cause}")
