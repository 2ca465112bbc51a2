"""Queues that are paused, and unique keys."""

import sqlalchemy as sa
from alembic import op

from lightwork.store.tables.types import IdBytes

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job", sa.Column("ties", sa.Integer, nullable=False, server_default=sa.text("0")))
    op.create_table(
        "queue",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("paused_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "unique_key",
        sa.Column("key", IdBytes(16), primary_key=True),
        sa.Column("job", IdBytes(16), nullable=False),
        sa.Column("until", sa.String(10), nullable=False),
        sa.Column("expires_at", sa.BigInteger),
    )
    op.create_index("unique_key_job", "unique_key", ["job"])
    op.create_index("unique_key_expires", "unique_key", ["expires_at"])


def downgrade() -> None:
    op.drop_table("unique_key")
    op.drop_table("queue")
    op.drop_column("job", "ties")
