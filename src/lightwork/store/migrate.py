"""Migrate: is a store's schema up to date, and bring it there; for `lightwork db`."""

from lightwork.errors import SchemaMismatch
from lightwork.store import schema
from lightwork.store.driver_errors import driver_errors
from lightwork.store.engine import check_place, reading_engine, sqlite_path, sqlite_url
from lightwork.store.filelock import FileLock
from lightwork.store.sqlite_file import upgrade_file


def check(url: str) -> str:
    """Return the revision of an up-to-date store.

    Raises:
        SchemaMismatch: It is not up to date, or newer than this program.
    """
    path = sqlite_path(url)
    check_place(path, create=False)
    engine = reading_engine(path)
    try:
        with driver_errors(str(path)), engine.connect() as connection:
            if schema.is_current(connection):
                return schema.REVISIONS[-1]
            found = schema.revision(connection)
    finally:
        engine.dispose()
    raise SchemaMismatch(
        f"store {path} has schema revision {found or 'none'}, this program needs "
        f"{schema.REVISIONS[-1]}; run `lightwork db upgrade {sqlite_url(path)}`"
    )


def upgrade(url: str) -> str:
    """Bring a store to this program's revision, create it if need be, and return it."""
    path = sqlite_path(url)
    check_place(path, create=True)
    lock = FileLock(path.with_name(path.name + "-lock"))
    try:
        upgrade_file(path, lock)
    finally:
        lock.close()
    return schema.REVISIONS[-1]
