"""Which attempts have begun, how many were lost before, and what may not run twice."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, default in (("begun", "0"), ("losses", "0"), ("idempotent", "1")):
        column = sa.Column(name, sa.Integer, nullable=False, server_default=sa.text(default))
        op.add_column("job", column)
    # Policies are JSON of what differs from the default, which is true.
    op.execute("""UPDATE job SET idempotent = 0 WHERE policy LIKE '%"idempotent"%'""")
    # Workers of before do not tell what has begun: what they hold is taken to have.
    op.execute("UPDATE job SET begun = 1 WHERE state = 'running'")


def downgrade() -> None:
    for name in ("idempotent", "losses", "begun"):
        op.drop_column("job", name)
