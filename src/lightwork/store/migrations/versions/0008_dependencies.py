"""What jobs wait for."""

import sqlalchemy as sa
from alembic import op

from lightwork.store.tables.types import BigKey

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pending = sa.Column("pending", sa.Integer, nullable=False, server_default=sa.text("0"))
    op.add_column("blocked", pending)
    op.create_table(
        "dependency",
        sa.Column("parent", BigKey, primary_key=True, autoincrement=False),
        sa.Column("child", BigKey, primary_key=True, autoincrement=False),
        sa.Column("needs_success", sa.Integer, nullable=False),
        sa.Column("is_over", sa.Integer, nullable=False),
    )
    op.create_index("dependency_child", "dependency", ["child"])
    op.create_table(
        "ended_parent",
        sa.Column("seq", BigKey, primary_key=True, autoincrement=False),
        sa.Column("told", BigKey, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("ended_parent")
    op.drop_table("dependency")
    op.drop_column("blocked", "pending")
