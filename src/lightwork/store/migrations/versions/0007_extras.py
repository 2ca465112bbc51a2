"""Jobs that expire, carry headers and tags; counts of finished jobs that are added to apart."""

import sqlalchemy as sa
from alembic import op

from lightwork.store.tables.types import BigKey

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job", sa.Column("expires_at", sa.BigInteger))
    op.add_column("job", sa.Column("headers", sa.String(4000)))
    op.create_table(
        "tag",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("seq", BigKey, primary_key=True, autoincrement=False),
    )
    op.create_index("tag_seq", "tag", ["seq"])
    op.create_table(
        "expiry",
        sa.Column("seq", BigKey, primary_key=True, autoincrement=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index("expiry_at", "expiry", ["expires_at"])
    op.create_table(
        "tally_delta",
        sa.Column("number", BigKey, primary_key=True, autoincrement=True),
        sa.Column("queue", sa.String(100), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("jobs", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    for name in ("tally_delta", "expiry", "tag"):
        op.drop_table(name)
    for name in ("headers", "expires_at"):
        op.drop_column("job", name)
