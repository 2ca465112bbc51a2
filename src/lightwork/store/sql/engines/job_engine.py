"""Job engine: what a job's own transaction needs of the database, in the process that runs the job."""

from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Engine, exc

from lightwork.store.sql.spelling import Spelling


class JobEngine(NamedTuple):
    """Connections of one kind of database.

    Attributes:
        engine: Pooled; a transaction of it begins with its first statement.
        spelling: What its dialect says differently.
        is_conflict: Whether the transaction was undone because of another one, and may be repeated.
    """

    engine: Engine
    spelling: Spelling
    is_conflict: Callable[[exc.DBAPIError], bool]
