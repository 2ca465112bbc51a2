"""Environment in which Alembic runs our revisions: a connection that schema.py lends."""

from alembic import context

from lightwork.store.sql.schema import VERSION_TABLE
from lightwork.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
