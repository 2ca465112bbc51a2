"""Tables of limits: how many may run at once, how many may begin in a while, and who waits."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, text

from lightwork.store.tables.types import BigKey, Number, metadata

limit_slot = Table(
    "limit_slot",
    metadata,
    Column("key", String(300), primary_key=True),
    # 0: any number.
    Column("cap", Integer, nullable=False),
    Column("used", Integer, nullable=False),
    # A bucket of tokens: so many come in a second, at most `burst` are kept; 0: no rate.
    Column("rate", Number, nullable=False),
    Column("burst", Number, nullable=False),
    Column("tokens", Number, nullable=False),
    Column("filled_at", BigInteger, nullable=False),
)
# What a row of limit_use says: the job is ready, it has its slot, it waits for one.
FREE: Final = 0
HELD: Final = 1
WAITS: Final = 2
# That the job runs and counts in the limit of its queue, whose key no limit of a task can have: it would
# begin with a space.
IN_QUEUE: Final = 3
QUEUE_KEY: Final = " queue "
# The lane of rows that an older program has written.
NO_LANE: Final = 0

# One row for each limit of a job that runs or waits for it, and of most that are ready; and of one that
# runs in a queue which has a limit of its own.
limit_use = Table(
    "limit_use",
    metadata,
    Column("key", String(300), primary_key=True),
    Column("seq", BigKey, primary_key=True, autoincrement=False),
    # One of FREE, HELD, WAITS and IN_QUEUE.
    Column("stage", Integer, nullable=False),
    # The priority, negated.
    Column("rank", Integer, nullable=False),
    # A hash of queue and task, see bounds/waiting.py; or NO_LANE.
    Column("lane", BigInteger, nullable=False, server_default=text(str(NO_LANE))),
)
# By the stage first: whether any waits is asked once a second.
Index("limit_use_next", limit_use.c.stage, limit_use.c.key, limit_use.c.rank, limit_use.c.seq)
Index(
    "limit_use_lane",
    limit_use.c.stage,
    limit_use.c.key,
    limit_use.c.lane,
    limit_use.c.rank,
    limit_use.c.seq,
)
Index("limit_use_seq", limit_use.c.seq)
