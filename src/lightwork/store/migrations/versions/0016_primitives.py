"""Locks, queues and shared values that a store keeps, and the sessions that use them."""

import sqlalchemy as sa
from alembic import op

from lightwork.store.tables.types import BigKey, Blob, IdBytes

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "primitive",
        sa.Column("id", IdBytes(16), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("is_named", sa.Integer, nullable=False),
        sa.Column("spec", IdBytes(16), nullable=False),
        sa.Column("state", Blob, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("granted_at", sa.BigInteger),
    )
    op.create_table(
        "primitive_cell",
        sa.Column("number", BigKey, primary_key=True, autoincrement=True),
        sa.Column("primitive", IdBytes(16), nullable=False),
        sa.Column("hash", IdBytes(16), nullable=False),
        sa.Column("key", Blob, nullable=False),
        sa.Column("value", Blob, nullable=False),
        sa.UniqueConstraint("primitive", "hash", name="primitive_cell_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("primitive_cell_order", "primitive_cell", ["primitive", "number"])
    op.create_table(
        "primitive_session",
        sa.Column("id", IdBytes(16), primary_key=True),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "primitive_member",
        sa.Column("primitive", IdBytes(16), primary_key=True),
        sa.Column("session", IdBytes(16), primary_key=True),
    )
    op.create_index("primitive_member_session", "primitive_member", ["session"])
    op.create_table(
        "primitive_caller",
        sa.Column("session", IdBytes(16), primary_key=True),
        sa.Column("thread", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("request", sa.BigInteger, nullable=False),
        sa.Column("primitive", IdBytes(16), nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("value", Blob, nullable=False),
        sa.Column("refused", sa.String(100), nullable=False),
    )


def downgrade() -> None:
    for table in ("caller", "member", "session", "cell"):
        op.drop_table(f"primitive_{table}")
    op.drop_table("primitive")
