"""Lanes: ready jobs are found by queue and task; workers say which tasks they know."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from lightwork.store.tables.types import IdBytes

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _drop_index("job_claim")
    _index("job_lane", "queue", "task", sa.text("priority DESC"), "seq")
    long_text = sa.Text(2**24 - 1).with_variant(sa.Text(), "sqlite", "postgresql")
    tasks = sa.Column("tasks", long_text)
    if op.get_context().dialect.name == "sqlite":
        _add_to_worker(tasks)
    else:
        op.add_column("worker", tasks)


def downgrade() -> None:
    _drop_index("job_lane")
    _index("job_claim", "queue", sa.text("priority DESC"), "seq")
    op.drop_column("worker", "tasks")


def _add_to_worker(tasks: sa.Column[Any]) -> None:
    # ALTER TABLE would put the column behind the constraints of the table; here a
    # new file and an old one end with the same text.
    op.rename_table("worker", "worker_before")
    op.create_table(
        "worker",
        sa.Column("id", IdBytes(16), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("slots", sa.Integer, nullable=False),
        sa.Column("queues", sa.Text, nullable=False),
        tasks,
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("heartbeat_at", sa.BigInteger, nullable=False),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
    )

    op.execute(
        "INSERT INTO worker (id, name, host, pid, slots, queues, state, started_at, heartbeat_at,"
        " lease_until) SELECT id, name, host, pid, slots, queues, state, started_at, heartbeat_at,"
        " lease_until FROM worker_before"
    )
    op.drop_table("worker_before")


def _index(name: str, *columns: Any) -> None:
    # MySQL has no partial indexes: there the state leads.
    if op.get_context().dialect.name in {"mysql", "mariadb"}:
        op.create_index(f"{name}_full", "job", ["state", *columns])
        return
    where = sa.text("state = 'ready'")
    op.create_index(name, "job", list(columns), sqlite_where=where, postgresql_where=where)


def _drop_index(name: str) -> None:
    lacks_partial = op.get_context().dialect.name in {"mysql", "mariadb"}
    op.drop_index(f"{name}_full" if lacks_partial else name, table_name="job")
