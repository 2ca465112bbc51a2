"""How many may run at once, how many may begin in a while, and who waits."""

import sqlalchemy as sa
from alembic import op

from lightwork.store.tables.types import BigKey, Number

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job", sa.Column("limits", sa.String(2000)))
    op.create_table(
        "limit_slot",
        sa.Column("key", sa.String(300), primary_key=True),
        sa.Column("cap", sa.Integer, nullable=False),
        sa.Column("used", sa.Integer, nullable=False),
        sa.Column("rate", Number, nullable=False),
        sa.Column("burst", Number, nullable=False),
        sa.Column("tokens", Number, nullable=False),
        sa.Column("filled_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "limit_use",
        sa.Column("key", sa.String(300), primary_key=True),
        sa.Column("seq", BigKey, primary_key=True, autoincrement=False),
        sa.Column("stage", sa.Integer, nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
    )
    op.create_index("limit_use_next", "limit_use", ["stage", "key", "rank", "seq"])
    op.create_index("limit_use_seq", "limit_use", ["seq"])


def downgrade() -> None:
    op.drop_table("limit_use")
    op.drop_table("limit_slot")
    op.drop_column("job", "limits")
