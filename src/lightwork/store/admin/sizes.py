"""Sizes: how much a store holds. Bounded: no table is counted to its end if it is large."""

from typing import Final

from sqlalchemy import Connection, func, literal_column, select
from sqlalchemy.sql.elements import ColumnElement

from lightwork.store.admin.queries import oldest_ready
from lightwork.store.sql.rows import text_of
from lightwork.store.sql.spelling import Spelling
from lightwork.store.tables import metadata
from lightwork.store.tables.jobs import job
from lightwork.store.views import LargePayload, StoreStats, TableStats

# Rows that are counted one by one; beyond, the database's own estimate is told.
COUNTED: Final = 100_000
# Jobs, the newest, among which the largest are looked for.
_LOOKED_AT: Final = 10_000
_LARGEST: Final = 5

_sizes = (
    select(job.c.seq, job.c.id, job.c.task, func.length(job.c.payload).label("size"))
    .order_by(job.c.seq.desc())
    .limit(_LOOKED_AT)
    .subquery()
)
_BIGGEST: Final = select(_sizes).order_by(_sizes.c.size.desc()).limit(_LARGEST)
_ONE: Final[ColumnElement[int]] = literal_column("1").label("one")


def tables(connection: Connection, spelling: Spelling) -> list[TableStats]:
    """Return rows and bytes of each table, the largest first."""
    told = spelling.sizes(connection)
    found = []
    for table in metadata.sorted_tables:
        some = select(_ONE).select_from(table).limit(COUNTED + 1).subquery()
        rows = connection.scalar(select(func.count()).select_from(some)) or 0
        size = told[table.name]
        found.append(
            TableStats(
                # SQLAlchemy's own kind of text, which is not plain.
                name=str(table.name),
                rows=max(rows, size.rows) if rows > COUNTED else rows,
                is_estimate=rows > COUNTED,
                size=size.size,
                index_size=size.index_size,
                dead_rows=size.dead_rows,
            )
        )
    return sorted(found, key=lambda table: (-(table.size or 0), -table.rows, table.name))


def stats(connection: Connection, spelling: Spelling) -> StoreStats:
    """Return how much the store holds."""
    found = tables(connection, spelling)
    return StoreStats(
        size=spelling.whole_size(connection, found),
        tables=tuple(found),
        oldest_ready=oldest_ready(connection),
        largest=tuple(largest_payloads(connection)),
    )


def largest_payloads(connection: Connection) -> list[LargePayload]:
    """Return the largest payloads of the newest jobs."""
    return [
        LargePayload(id=row.id, seq=row.seq, task=text_of(row.task), size=row.size)
        for row in connection.execute(_BIGGEST)
    ]
