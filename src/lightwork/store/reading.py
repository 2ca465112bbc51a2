"""Reading: the tables as classes, for `select(Job).where(Job.state == "failed")`.

For reading only. A change made through these classes would skip the guards that
keep outcomes exact; the store refuses it when it is flushed.
"""

import uuid
from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy import event
from sqlalchemy.orm import DeclarativeBase, Mapped

from lightwork.errors import UsageError
from lightwork.model import State
from lightwork.store import tables


class _Row(DeclarativeBase):
    metadata = tables.metadata


class Job(_Row):
    """One request to run a task; columns as in tables.py."""

    __table__ = tables.job

    if TYPE_CHECKING:
        # Told to type checkers only: the columns themselves are written once, in tables.py.
        seq: Mapped[int]
        id: Mapped[uuid.UUID]
        task: Mapped[str]
        queue: Mapped[str]
        priority: Mapped[int]
        state: Mapped[State]
        attempt: Mapped[int]
        failures: Mapped[int]
        crashes: Mapped[int]
        payload: Mapped[bytes]
        policy: Mapped[str]
        created_at: Mapped[int]
        due_at: Mapped[int | None]
        started_at: Mapped[int | None]
        finished_at: Mapped[int | None]
        worker: Mapped[uuid.UUID | None]
        begun: Mapped[int]
        losses: Mapped[int]
        cancel_requested: Mapped[int]
        result: Mapped[bytes | None]
        error_type: Mapped[str | None]
        error_text: Mapped[str | None]
        traceback: Mapped[str | None]
        progress_done: Mapped[float]
        progress_total: Mapped[float]
        progress_note: Mapped[str]

    def __repr__(self) -> str:
        return _shown(self, "seq", "task", "state")


class Attempt(_Row):
    """An ended attempt that did not succeed; columns as in tables.py."""

    __table__ = tables.attempt

    if TYPE_CHECKING:
        seq: Mapped[int]
        number: Mapped[int]
        worker: Mapped[uuid.UUID | None]
        started_at: Mapped[int]
        ended_at: Mapped[int]
        outcome: Mapped[str]
        error_type: Mapped[str | None]
        error_text: Mapped[str | None]
        traceback: Mapped[str | None]

    def __repr__(self) -> str:
        return _shown(self, "seq", "number", "outcome")


def _shown(row: _Row, *names: str) -> str:
    # What is loaded: a repr in a debugger must not ask the database.
    loaded = ((name, row.__dict__[name]) for name in names if name in row.__dict__)
    words = " ".join(f"{name}={value}" for name, value in loaded)
    return f"<{type(row).__name__} {words}>"


def _refuse(_mapper: object, _connection: object, row: Any) -> NoReturn:
    raise UsageError(
        f"{type(row).__name__} is for reading; change jobs through a store or `lightwork jobs`"
    )


for _change in ("before_insert", "before_update", "before_delete"):
    event.listen(_Row, _change, _refuse, propagate=True)
