"""How the children of attempts ended and how much they have held; and settings for all programs."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempt", sa.Column("signal", sa.Integer))
    op.add_column("attempt", sa.Column("peak_memory", sa.BigInteger))
    op.create_table(
        "setting",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("value", sa.String(1000), nullable=False),
        sa.Column("set_by", sa.String(200), nullable=False),
        sa.Column("set_at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("setting")
    op.drop_column("attempt", "peak_memory")
    op.drop_column("attempt", "signal")
