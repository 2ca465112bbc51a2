"""Tables of what jobs wait for."""

from sqlalchemy import Column, Index, Integer, Table

from lightwork.store.tables.types import BigKey, metadata

# A row for each job that another was submitted after, as long as both are kept. A job is
# submitted later than those that it waits for, so `child` is always greater.
dependency = Table(
    "dependency",
    metadata,
    Column("parent", BigKey, primary_key=True, autoincrement=False),
    Column("child", BigKey, primary_key=True, autoincrement=False),
    # 0: the child runs whatever becomes of the parent.
    Column("needs_success", Integer, nullable=False),
    # 0: the child waits for its end, and `blocked.pending` counts it.
    Column("is_over", Integer, nullable=False),
)
Index("dependency_child", dependency.c.child)
# Jobs that have ended and have more children than one transaction tells; upkeep tells the rest.
ended_parent = Table(
    "ended_parent",
    metadata,
    Column("seq", BigKey, primary_key=True, autoincrement=False),
    # Children up to this one were told.
    Column("told", BigKey, nullable=False),
)
