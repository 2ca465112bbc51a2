"""Tasks that become jobs again and again."""

import sqlalchemy as sa
from alembic import op

from lightwork.store.tables.types import IdBytes

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "schedule",
        sa.Column("name", sa.String(500), primary_key=True),
        sa.Column("task", sa.String(500), nullable=False),
        sa.Column("spec", sa.String(200), nullable=False),
        sa.Column("tz", sa.String(60), nullable=False),
        sa.Column("catch_up", sa.String(10), nullable=False),
        sa.Column("origin", sa.String(10), nullable=False),
        sa.Column("policy", sa.String(4000), nullable=False),
        sa.Column("payload", sa.LargeBinary(2**31 - 1), nullable=False),
        sa.Column("paused_at", sa.BigInteger),
        sa.Column("next_at", sa.BigInteger),
        sa.Column("last_at", sa.BigInteger),
        sa.Column("last_job", IdBytes(16)),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index("schedule_next", "schedule", ["next_at"])


def downgrade() -> None:
    op.drop_table("schedule")
