"""Clock: the database clock of a SQLite file runs on the time since boot."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "clock",
        sa.Column("boot", sa.String(100), primary_key=True),
        sa.Column("ahead", sa.BigInteger, nullable=False),
        sa.Column("aligned_at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("clock")
