"""First tables: job, attempt, worker, tally."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from lightwork.store.tables.types import IdBytes, Number

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATES = ("blocked", "scheduled", "ready", "running", "succeeded", "failed", "cancelled")


def upgrade() -> None:
    big_key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    blob = sa.LargeBinary(2**31 - 1)
    long_text = sa.Text(2**24 - 1).with_variant(sa.Text(), "sqlite", "postgresql")
    zero = sa.text("0")
    op.create_table(
        "job",
        sa.Column("seq", big_key, primary_key=True, autoincrement=True),
        sa.Column("id", IdBytes(16), nullable=False),
        sa.Column("task", sa.String(500), nullable=False),
        sa.Column("queue", sa.String(100), nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False, server_default=zero),
        sa.Column("failures", sa.Integer, nullable=False, server_default=zero),
        sa.Column("crashes", sa.Integer, nullable=False, server_default=zero),
        sa.Column("payload", blob, nullable=False),
        sa.Column("policy", sa.String(4000), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("finished_at", sa.BigInteger),
        sa.Column("worker", IdBytes(16)),
        sa.Column("cancel_requested", sa.Integer, nullable=False, server_default=zero),
        sa.Column("result", blob),
        sa.Column("error_type", sa.Text),
        sa.Column("error_text", sa.Text),
        sa.Column("traceback", long_text),
        sa.Column("progress_done", Number, nullable=False, server_default=zero),
        sa.Column("progress_total", Number, nullable=False, server_default=zero),
        sa.Column("progress_note", sa.String(1000), nullable=False, server_default=sa.text("''")),
        sa.UniqueConstraint("id", name="job_id"),
        sa.CheckConstraint(f"state IN ({', '.join(map(repr, STATES))})", name="job_state"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "attempt",
        sa.Column("seq", big_key, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("worker", IdBytes(16)),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("error_type", sa.Text),
        sa.Column("error_text", sa.Text),
        sa.Column("traceback", long_text),
    )
    op.create_table(
        "worker",
        sa.Column("id", IdBytes(16), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("slots", sa.Integer, nullable=False),
        sa.Column("queues", sa.Text, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("heartbeat_at", sa.BigInteger, nullable=False),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "tally",
        sa.Column("queue", sa.String(100), primary_key=True),
        sa.Column("state", sa.String(10), primary_key=True),
        sa.Column("jobs", sa.BigInteger, nullable=False),
    )
    _index("job_claim", "state = 'ready'", "queue", sa.text("priority DESC"), "seq")
    _index("job_due", "state = 'scheduled'", "due_at", "queue")
    _index("job_worker", "state = 'running'", "worker", "queue")
    _index("job_blocked", "state = 'blocked'", "queue")
    _index("job_finished", "state IN ('cancelled', 'failed', 'succeeded')", "finished_at")


def downgrade() -> None:
    for name in ("tally", "worker", "attempt", "job"):
        op.drop_table(name)


def _index(name: str, condition: str, *columns: Any) -> None:
    # MySQL has no partial indexes: there the state leads.
    if op.get_context().dialect.name in {"mysql", "mariadb"}:
        op.create_index(f"{name}_full", "job", ["state", *columns])
        return
    where = sa.text(condition)
    op.create_index(name, "job", list(columns), sqlite_where=where, postgresql_where=where)
