"""Tables: where jobs, ended attempts and workers are kept.

One row per job with one `state` column, its outcome in the row: the simplest
thing to keep right and to query. Measured beside a split into three tables it
is as fast. Instants are integer milliseconds of the database clock. Ids are 16
bytes; `seq` is the order of submission and never used twice.

Who reads finished rows? Only who asks for them. Every recurring statement walks
one of the partial indexes below, which hold unfinished rows only; `job_finished`
serves pruning, and grows at its end only. `tally` counts finished jobs, kept
exact in the transaction that finishes them, so that nobody counts rows.

No foreign keys: they cost a look-up per row and make deleting a worker scan jobs.
"""

import uuid
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    literal_column,
    text,
)
from sqlalchemy.sql.elements import ColumnElement

from lightwork.model import FINAL_STATES, State

# PostgreSQL and MySQL would otherwise give 4 bytes; SQLite counts only INTEGER by itself.
BigKey: Final = BigInteger().with_variant(Integer(), "sqlite")
# MySQL's BLOB and TEXT end at 64 KiB.
Blob: Final = LargeBinary(2**31 - 1)
LongText: Final = Text(2**24 - 1).with_variant(Text(), "sqlite", "postgresql")

_WORDS: Final = frozenset(State)


def id_of(stored: Any) -> uuid.UUID:
    """Return a stored id; of a damaged one its first 16 bytes, filled up with zeros.

    Never `bytes(stored)`: of a number that is as many bytes.
    """
    found = stored if isinstance(stored, bytes) else str(stored).encode("utf-8", "replace")
    return uuid.UUID(bytes=found[:16].ljust(16, b"\0"))


class Id(TypeDecorator[uuid.UUID]):
    """A UUID as 16 bytes: a third of the text's size, and the same on every dialect."""

    impl = LargeBinary(16)
    cache_ok = True

    def process_bind_param(self, value: uuid.UUID | None, _dialect: Dialect) -> bytes | None:
        """Return the bytes to store."""
        return None if value is None else value.bytes

    def process_result_value(self, value: Any, _dialect: Dialect) -> uuid.UUID | None:
        """Return the id that was stored."""
        return None if value is None else id_of(value)


class StateText(TypeDecorator[State]):
    """A state as its word."""

    impl = String(10)
    cache_ok = True

    def process_bind_param(self, value: State | str | None, _dialect: Dialect) -> str | None:
        """Return the word to store."""
        return None if value is None else str(value)

    def process_result_value(self, value: Any, _dialect: Dialect) -> Any:
        """Return the state that was stored; a damaged one as it is, which equals no state."""
        return State(value) if value in _WORDS else value


def in_state(*states: State) -> ColumnElement[bool]:
    """Return the condition that a job is in one of the states.

    The words are literals, not parameters: only then may a planner match them with
    the predicate of a partial index.
    """
    words: list[ColumnElement[str]] = [literal_column(f"'{state}'") for state in states]
    return job.c.state == words[0] if len(words) == 1 else job.c.state.in_(words)


# What job.cancel_requested holds: nobody asked, let it see, kill its child.
CANCEL_NO: Final = 0
CANCEL_ASK: Final = 1
CANCEL_KILL: Final = 2

metadata = MetaData()

job = Table(
    "job",
    metadata,
    Column("seq", BigKey, primary_key=True, autoincrement=True),
    Column("id", Id, nullable=False),
    Column("task", String(500), nullable=False),
    Column("queue", String(100), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("state", StateText, nullable=False),
    Column("attempt", Integer, nullable=False, server_default=text("0")),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("crashes", Integer, nullable=False, server_default=text("0")),
    Column("payload", Blob, nullable=False),
    # JSON of what differs from the default policy, queue and priority left out.
    Column("policy", String(4000), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("due_at", BigInteger),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("worker", Id),
    # One of CANCEL_*.
    Column("cancel_requested", Integer, nullable=False, server_default=text("0")),
    Column("result", Blob),
    Column("error_type", Text),
    Column("error_text", Text),
    Column("traceback", LongText),
    Column("progress_done", Float, nullable=False, server_default=text("0")),
    Column("progress_total", Float, nullable=False, server_default=text("0")),
    Column("progress_note", String(1000), nullable=False, server_default=text("''")),
    # Of a running job: 1 once its attempt is known to have begun.
    Column("begun", Integer, nullable=False, server_default=text("0")),
    # Attempts whose worker died before they had begun.
    Column("losses", Integer, nullable=False, server_default=text("0")),
    # 0 if the policy says that it may not run twice: such a job is never claimed ahead.
    Column("idempotent", Integer, nullable=False, server_default=text("1")),
    UniqueConstraint("id", name="job_id"),
    CheckConstraint(f"state IN ({', '.join(repr(str(s)) for s in State)})", name="job_state"),
    sqlite_autoincrement=True,
)

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
)

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

# For databases that have no clock of their own; see sqlite_clock.py.
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


def _index(name: str, condition: ColumnElement[bool], *columns: ColumnElement[Any]) -> None:
    partial = Index(name, *columns, sqlite_where=condition, postgresql_where=condition)
    partial.ddl_if(callable_=_has_partial_indexes)
    Index(f"{name}_full", job.c.state, *columns).ddl_if(callable_=_lacks_partial_indexes)


def _has_partial_indexes(*_target: Any, dialect: Dialect, **_options: Any) -> bool:
    return dialect.name not in {"mysql", "mariadb"}


def _lacks_partial_indexes(*_target: Any, dialect: Dialect, **_options: Any) -> bool:
    return not _has_partial_indexes(dialect=dialect)


# Lane by lane: a claim seeks in the lanes of tasks that its worker knows and never sees others.
_index(
    "job_lane",
    in_state(State.READY),
    job.c.queue,
    job.c.task,
    job.c.priority.desc(),
    job.c.seq,
)
_index("job_due", in_state(State.SCHEDULED), job.c.due_at, job.c.queue)
_index("job_worker", in_state(State.RUNNING), job.c.worker, job.c.queue)
_index("job_blocked", in_state(State.BLOCKED), job.c.queue)
_index("job_finished", in_state(*sorted(FINAL_STATES)), job.c.finished_at)
