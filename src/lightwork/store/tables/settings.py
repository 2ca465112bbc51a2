"""Table of what all programs that use a store are told to do; what has no row is as it is by default."""

from sqlalchemy import BigInteger, Column, String, Table

from lightwork.store.tables.types import metadata

setting = Table(
    "setting",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("value", String(1000), nullable=False),
    # As whoever it was calls himself.
    Column("set_by", String(200), nullable=False),
    Column("set_at", BigInteger, nullable=False),
)
