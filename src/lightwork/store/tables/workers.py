"""Tables beside the jobs: workers, counts of finished jobs, the clock, and what was damaged."""

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text

from lightwork.store.tables.types import BigKey, Id, LongText, StateText, metadata

worker = Table(
    "worker",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("queues", Text, nullable=False),
    # JSON of the tasks that it knows; NULL: nobody has said.
    Column("tasks", LongText),
    Column("state", String(10), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("heartbeat_at", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
)

tally = Table(
    "tally",
    metadata,
    Column("queue", String(100), primary_key=True),
    Column("state", StateText, primary_key=True),
    Column("jobs", BigInteger, nullable=False),
)

# What is to be added to the tally. Where transactions run side by side each adds a row of its own:
# one row that all of them change would let only one commit at a time. Upkeep folds them in.
tally_delta = Table(
    "tally_delta",
    metadata,
    Column("number", BigKey, primary_key=True, autoincrement=True),
    Column("queue", String(100), nullable=False),
    Column("state", StateText, nullable=False),
    Column("jobs", BigInteger, nullable=False),
)

# For databases that have no clock of their own; see sqlite/clock.py.
clock = Table(
    "clock",
    metadata,
    Column("boot", String(100), primary_key=True),
    # Milliseconds between the start of that boot and 1970 UTC, as the database counts.
    Column("ahead", BigInteger, nullable=False),
    Column("aligned_at", BigInteger, nullable=False),
)

# What `lightwork db check --repair` takes out of the other tables, exactly as it was.
damaged = Table(
    "damaged",
    metadata,
    Column("number", BigKey, primary_key=True, autoincrement=True),
    Column("kind", String(20), nullable=False),
    Column("why", Text, nullable=False),
    # JSON: the name of each column with the type of its value and its bytes in hexadecimal.
    Column("content", LongText, nullable=False),
    Column("moved_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
