"""What has happened, by queue, task and minute; and attempts in the order in which they ended."""

import sqlalchemy as sa
from alembic import op

from lightwork.store.tables.types import IdBytes

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rollup",
        sa.Column("worker", IdBytes(16), primary_key=True),
        sa.Column("minute", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("queue", sa.String(100), primary_key=True),
        sa.Column("task", sa.String(500), primary_key=True),
        sa.Column("measure", sa.String(10), primary_key=True),
        sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("jobs", sa.BigInteger, nullable=False),
        sa.Column("total_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("attempt_ended", "attempt", ["ended_at"])


def downgrade() -> None:
    op.drop_index("attempt_ended", "attempt")
    op.drop_table("rollup")
