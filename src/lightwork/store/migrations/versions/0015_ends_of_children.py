"""Attempts that did not succeed keep the signal that ended their child, and how much that has held."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempt", sa.Column("signal", sa.Integer))
    op.add_column("attempt", sa.Column("peak_memory", sa.BigInteger))


def downgrade() -> None:
    op.drop_column("attempt", "peak_memory")
    op.drop_column("attempt", "signal")
