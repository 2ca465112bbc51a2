"""Statements about roll-ups; what is meant by which rows says tables/rollups.py."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import BigInteger, Insert, Select, bindparam, delete, literal, select
from sqlalchemy.dialects import postgresql, sqlite

from lightwork.store.tables.clock_sql import NOW
from lightwork.store.tables.rollups import NOBODY, rollup
from lightwork.store.tables.types import Id

MINUTE_MS: Final = 60_000
NOW_MS: Final = select(NOW)
KEY: Final = tuple(column.name for column in rollup.primary_key)
# What is inserted; how it adds to a row that is there is spelled per dialect.
NEW: Final[Mapping[str, Any]] = {column.name: bindparam(f"b_{column.name}") for column in rollup.c}


def adding(insert: postgresql.Insert | sqlite.Insert) -> Insert:
    """Return an INSERT of NEW that adds to a row which is there, where ON CONFLICT says so."""
    new = insert.values(NEW)
    return new.on_conflict_do_update(
        index_elements=list(KEY),
        set_={
            "jobs": rollup.c.jobs + new.excluded.jobs,
            "total_ms": rollup.c.total_ms + new.excluded.total_ms,
        },
    )


_NOBODY: Final = literal(NOBODY, Id)
_MINUTE: Final = bindparam("b_minute", type_=BigInteger)
# Everybody else's id is greater: 16 zeros come first.
_OF_WORKERS: Final = rollup.c.worker > _NOBODY
_OF_NOBODY: Final = rollup.c.worker == _NOBODY


def _batch(*conditions: Any) -> Select[Any]:
    return (
        select(rollup)
        .where(*conditions, rollup.c.minute < _MINUTE)
        .order_by(*rollup.primary_key)
        .limit(bindparam("b_limit"))
    )


# Of workers; minutes of the history that become hours; hours that are forgotten.
SEEN_TO_FOLD: Final = _batch(_OF_WORKERS)
SEEN_TO_HOURS: Final = _batch(_OF_NOBODY, rollup.c.minute > 0, rollup.c.minute % 60 != 0)
SEEN_TO_FORGET: Final = _batch(_OF_NOBODY, rollup.c.minute > 0)
TO_FOLD: Final = SEEN_TO_FOLD.with_for_update(skip_locked=True)
TO_HOURS: Final = SEEN_TO_HOURS.with_for_update(skip_locked=True)
TO_FORGET: Final = SEEN_TO_FORGET.with_for_update(skip_locked=True)
DELETE: Final = delete(rollup).where(*(rollup.c[name] == bindparam(f"b_{name}") for name in KEY))

TOTALS: Final = (
    select(rollup).where(_OF_WORKERS),
    select(rollup).where(_OF_NOBODY, rollup.c.minute == 0),
)
SINCE: Final = (
    select(rollup).where(_OF_WORKERS, rollup.c.minute >= _MINUTE),
    select(rollup).where(_OF_NOBODY, rollup.c.minute >= _MINUTE),
)
