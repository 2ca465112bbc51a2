"""Tables: where jobs, ended attempts and workers are kept.

A job is a row of `job`, which never changes, and a row of the table of its state:

    job ──┬── blocked ─────┐
          ├── scheduled ──>│
          └── ready <──────┘──> running ──> outcome      succeeded, failed, cancelled
                 ^─────────────────┴───────────┘

It moves by a guarded INSERT ... SELECT and DELETE in one transaction (moves.py), and all that
is known of it (attempt number, counters, reports) goes along, so that no move but the one
into a lane looks at `job`. Every table has the job's `seq` as its key, the order
of submission, never used twice.

Why not one row with a state: each change of a state would write the whole row anew, and
an entry in every index (docs/design.md has the figures). Here what waits and what runs
is narrow, and recurring statements cannot read finished jobs, because these
are elsewhere. `tally` counts finished jobs, kept exact in the transaction
that finishes them, so that nobody counts rows.

Instants are integer milliseconds of the database clock; ids are 16 bytes. No foreign keys:
they cost a look-up per row, and a job that is nowhere, or in two states, is for
`lightwork db check` to find.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from lightwork.model import State
from lightwork.store.tables.types import (
    BigKey,
    Blob,
    Id,
    IdBytes,
    LongText,
    Number,
    StateText,
    metadata,
)

# What cancel_requested holds: nobody asked, let it see, kill its child.
CANCEL_NO: Final = 0
CANCEL_ASK: Final = 1
CANCEL_KILL: Final = 2
# What job.ties may hold: that a claim has to ask whether it has expired.
TIE_EXPIRES: Final = 1
# That it has a unique key, which is free again once it is claimed, or once it ends.
TIE_UNTIL_BEGIN: Final = 2
TIE_UNTIL_END: Final = 4
# That its unique key is held for a period, which ends by itself.
TIE_FOR_PERIOD: Final = 8
# That it has limits.
TIE_LIMITED: Final = 16
# That it has tags.
TIE_TAGGED: Final = 32

job = Table(
    "job",
    metadata,
    Column("seq", BigKey, primary_key=True, autoincrement=True),
    Column("id", Id, nullable=False),
    Column("task", String(500), nullable=False),
    Column("queue", String(100), nullable=False),
    Column("priority", Integer, nullable=False),
    # 0 if the policy says that it may not run twice: such a job is never claimed ahead.
    Column("idempotent", Integer, nullable=False, server_default=text("1")),
    # JSON of what differs from the default policy, queue and priority left out.
    Column("policy", String(4000), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("payload", Blob, nullable=False),
    # A job that has not begun by then is cancelled; NULL: it waits for ever.
    Column("expires_at", BigInteger),
    # JSON: a small map of texts that travels with the job, such as a trace context.
    Column("headers", String(4000)),
    # A sum of TIE_*: whoever claims or ends it looks after more than the job; mostly nothing.
    Column("ties", Integer, nullable=False, server_default=text("0")),
    # JSON of its limits: each a list of key, cap, tokens a second and burst.
    Column("limits", String(2000)),
    # Which it takes again when it is retried; NULL: none, or one that is held for a period.
    Column("unique_key", IdBytes(16)),
    UniqueConstraint("id", name="job_id"),
    sqlite_autoincrement=True,
)


def _state_table(name: str, *more: Column[Any]) -> Table:
    """Make a table of jobs in one state: what is known of a job goes with it from table to table."""
    return Table(
        name,
        metadata,
        Column("seq", BigKey, primary_key=True, autoincrement=False),
        Column("attempt", Integer, nullable=False, server_default=text("0")),
        Column("failures", Integer, nullable=False, server_default=text("0")),
        Column("crashes", Integer, nullable=False, server_default=text("0")),
        # Attempts whose worker died before they had begun.
        Column("losses", Integer, nullable=False, server_default=text("0")),
        # One of CANCEL_*.
        Column("cancel_requested", Integer, nullable=False, server_default=text("0")),
        # NULL: it was never put off.
        Column("due_at", BigInteger),
        # Of the last attempt, as are the reports, NULL where there was none.
        Column("started_at", BigInteger),
        Column("progress_done", Number),
        Column("progress_total", Number),
        Column("progress_note", String(1000)),
        *more,
    )


blocked = _state_table(
    "blocked",
    # Jobs that it waits for and that are unfinished.
    Column("pending", Integer, nullable=False, server_default=text("0")),
)
scheduled = _state_table("scheduled")
ready = _state_table(
    "ready",
    # The lane and the place in it, copied from the job; `rank` is the priority, negated,
    # so that every column of the index ascends.
    Column("queue", String(100), nullable=False),
    Column("task", String(500), nullable=False),
    Column("rank", Integer, nullable=False),
)
running = _state_table(
    "running",
    Column("worker", Id, nullable=False),
    # 1 once its attempt is known to have begun.
    Column("begun", Integer, nullable=False, server_default=text("0")),
)
outcome = _state_table(
    "outcome",
    # succeeded, failed or cancelled.
    Column("state", StateText, nullable=False),
    Column("finished_at", BigInteger, nullable=False),
    Column("result", Blob),
    Column("error_type", Text),
    Column("error_text", Text),
    Column("traceback", LongText),
)

# Lane by lane: a claim seeks in the lanes of tasks that its worker knows and never sees others.
Index("ready_lane", ready.c.queue, ready.c.task, ready.c.rank, ready.c.seq)
Index("running_worker", running.c.worker)
Index("scheduled_due", scheduled.c.due_at)
# For pruning, and for whoever looks for what has failed.
Index("outcome_state", outcome.c.state, outcome.c.finished_at)

# Where a job is in each state. Where a damaged store has it twice, the first of these counts.
TABLE_OF: Final[Mapping[State, Table]] = {
    State.SUCCEEDED: outcome,
    State.FAILED: outcome,
    State.CANCELLED: outcome,
    State.RUNNING: running,
    State.READY: ready,
    State.SCHEDULED: scheduled,
    State.BLOCKED: blocked,
}
STATE_TABLES: Final = tuple(dict.fromkeys(TABLE_OF.values()))
# What goes along when a job moves.
MOVING: Final = tuple(column.name for column in scheduled.c if column.name != "seq")

attempt = Table(
    "attempt",
    metadata,
    Column("seq", BigKey, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("worker", Id),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("outcome", String(10), nullable=False),
    Column("error_type", Text),
    Column("error_text", Text),
    Column("traceback", LongText),
    # That ended its child, and the bytes that this has held at most; NULL: not known, or none.
    Column("signal", Integer),
    Column("peak_memory", BigInteger),
)
# For whoever follows what happens; only attempts that did not succeed have a row here.
Index("attempt_ended", attempt.c.ended_at)

tag = Table(
    "tag",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("seq", BigKey, primary_key=True, autoincrement=False),
)
Index("tag_seq", tag.c.seq)
# Jobs that wait and expire, so that nobody looks for them among all jobs.
expiry = Table(
    "expiry",
    metadata,
    Column("seq", BigKey, primary_key=True, autoincrement=False),
    Column("expires_at", BigInteger, nullable=False),
)
Index("expiry_at", expiry.c.expires_at)
