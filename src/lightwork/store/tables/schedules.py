"""Table of schedules: tasks that become jobs again and again.

A row is in the database's hands alone: `next_at` is the due time that nobody has met, and
whoever moves it on, naming the one that was read, makes the job.
"""

from sqlalchemy import BigInteger, Column, Index, String, Table

from lightwork.store.tables.types import Blob, Id, metadata

schedule = Table(
    "schedule",
    metadata,
    # Of those that are declared in code: the name of the task.
    Column("name", String(500), primary_key=True),
    Column("task", String(500), nullable=False),
    # Five or six fields of cron, or an interval.
    Column("spec", String(200), nullable=False),
    Column("tz", String(60), nullable=False),
    # What becomes of times that nobody was there for: none, one, all.
    Column("catch_up", String(10), nullable=False),
    # "code": declared at a task, and changed with it; "user": by a command.
    Column("origin", String(10), nullable=False),
    # JSON of what differs from the default policy, queue and priority included; and the filled
    # keys of its jobs.
    Column("policy", String(4000), nullable=False),
    Column("payload", Blob, nullable=False),
    # NULL: it is not paused.
    Column("paused_at", BigInteger),
    # NULL: it is paused, or never due again.
    Column("next_at", BigInteger),
    # The due time, or where somebody asked for it the instant, of the last job.
    Column("last_at", BigInteger),
    Column("last_job", Id),
    Column("created_at", BigInteger, nullable=False),
)
Index("schedule_next", schedule.c.next_at)
