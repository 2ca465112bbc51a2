"""Damaged: where rows go that hold what lightwork never writes."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "damaged",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column(
            "content",
            sa.Text(2**24 - 1).with_variant(sa.Text(), "sqlite", "postgresql"),
            nullable=False,
        ),
        sa.Column("moved_at", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("damaged")
