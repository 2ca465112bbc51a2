"""Migrate: is a store's schema up to date, and bring it there; for `lightwork db`."""

from lightwork.errors import SchemaMismatch
from lightwork.store.opening import kind_of
from lightwork.store.sql import schema
from lightwork.store.urls import safe_url


def check(url: str) -> str:
    """Return the revision of an up-to-date store.

    Raises:
        SchemaMismatch: It is not up to date, or newer than this program.
    """
    with kind_of(url).connect(url) as connection:
        if schema.is_current(connection):
            return schema.REVISIONS[-1]
        found = schema.revision(connection)
    raise SchemaMismatch(
        f"store {safe_url(url)} has schema revision {found or 'none'}, this program needs "
        f"{schema.REVISIONS[-1]}; run `lightwork db upgrade {safe_url(url)}`"
    )


def upgrade(url: str) -> str:
    """Bring a store to this program's revision, create it if need be, and return it."""
    kind_of(url).upgrade(url)
    return schema.REVISIONS[-1]
