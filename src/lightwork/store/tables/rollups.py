"""Table of what has happened, by queue, task and minute: metrics without counting rows.

Every worker adds to rows of its own, so that no two change one row. Upkeep folds these, once
their minute is over, into rows of nobody (16 zeros): one of the minute, for rates and
percentiles, and one of minute 0, which is never forgotten, for counters that only grow. So the
counters are all rows of minute 0 and all rows of workers; the history is the others of nobody,
and the rows of workers.
"""

import uuid
from typing import Final

from sqlalchemy import BigInteger, Column, Integer, String, Table

from lightwork.store.tables.types import Id, metadata

NOBODY: Final = uuid.UUID(int=0)

rollup = Table(
    "rollup",
    metadata,
    # First: what is not folded yet is found without reading the history.
    Column("worker", Id, primary_key=True),
    # Minutes since 1970 by the database clock; 0: all that was folded, ever.
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    Column("queue", String(100), primary_key=True),
    Column("task", String(500), primary_key=True),
    # An outcome, or "run" or "wait", whose buckets are a histogram.
    Column("measure", String(10), primary_key=True),
    # Its upper bound is two to this, in milliseconds; 0 for outcomes.
    Column("bucket", Integer, primary_key=True, autoincrement=False),
    Column("jobs", BigInteger, nullable=False),
    Column("total_ms", BigInteger, nullable=False),
)
