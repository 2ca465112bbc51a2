"""Tables of queues that somebody has said something about, and of unique keys."""

from sqlalchemy import BigInteger, Column, Index, String, Table

from lightwork.store.tables.types import Id, IdBytes, metadata

# Only queues that are paused have a row.
queue = Table(
    "queue",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("paused_at", BigInteger, nullable=False),
)
# Who holds a key: at most one job. PostgreSQL could say so by a partial index, MySQL cannot.
unique_key = Table(
    "unique_key",
    metadata,
    # A hash of scope and key.
    Column("key", IdBytes(16), primary_key=True),
    Column("job", Id, nullable=False),
    # Until when: "begin" or "end" of the job; "" with an instant, from which on the key is free again.
    Column("until", String(10), nullable=False),
    Column("expires_at", BigInteger),
)
Index("unique_key_job", unique_key.c.job)
Index("unique_key_expires", unique_key.c.expires_at)
