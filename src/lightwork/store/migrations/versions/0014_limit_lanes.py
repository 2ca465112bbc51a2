"""Who waits for a limit is known by lane; rows of before, and of older workers, have lane 0."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    lane = sa.Column("lane", sa.BigInteger, nullable=False, server_default=sa.text("0"))
    op.add_column("limit_use", lane)
    op.create_index("limit_use_lane", "limit_use", ["stage", "key", "lane", "rank", "seq"])


def downgrade() -> None:
    op.drop_index("limit_use_lane", "limit_use")
    op.drop_column("limit_use", "lane")
