"""Jobs know their unique keys, which they take again when they are retried."""

import sqlalchemy as sa
from alembic import op

from lightwork.store.tables.types import IdBytes

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job", sa.Column("unique_key", IdBytes(16)))
    # Of those that hold theirs; which keys others had, whose jobs have ended, nobody knows any more.
    job, held = sa.table("job", sa.column("id"), sa.column("unique_key")), _held()
    key = sa.select(held.c.key).where(held.c.job == job.c.id, held.c.until != "").scalar_subquery()
    is_held = job.c.id.in_(sa.select(held.c.job).where(held.c.until != ""))
    op.execute(sa.update(job).where(is_held).values(unique_key=key))


def downgrade() -> None:
    op.drop_column("job", "unique_key")


def _held() -> sa.TableClause:
    return sa.table("unique_key", sa.column("key"), sa.column("job"), sa.column("until"))
