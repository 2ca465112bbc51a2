"""Orm: jobs, attempts and workers as classes, for `select(Job).where(Job.state == "failed")`.

For reading only. A change made through these classes would skip the guards that
keep outcomes exact; the store refuses it when it is flushed.

A Job is read from the tables of all states at once (sql/states.py). A comparison with a state
becomes a look at the table of that state: `seq IN (SELECT seq FROM outcome WHERE state = ...)`.

The classes know one another: `job.attempts`, `attempt.job`, and `worker_row` of both. In an
AsyncSession say what is wanted beforehand, as always there: `selectinload(Job.attempts)`,
`undefer(Job.payload)`.
"""

import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, NoReturn

from sqlalchemy import Select, event, select
from sqlalchemy.orm import (
    ColumnProperty,
    DeclarativeBase,
    Mapped,
    column_property,
    deferred,
    foreign,
    relationship,
)
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import ColumnElement

from lightwork.codec import Codec, Subject
from lightwork.errors import UsageError
from lightwork.model import State
from lightwork.store.sql.states import COLUMNS, WHOLE, jobs_in
from lightwork.store.tables import jobs as tables
from lightwork.store.tables import metadata
from lightwork.store.tables.workers import worker

_JOB: Final = select(*COLUMNS.values()).select_from(WHOLE).subquery("job")


class _Row(DeclarativeBase):
    metadata = metadata


class _StateComparator(ColumnProperty.Comparator[State]):
    """Compares with states by their tables, and with anything else as any column does."""

    def operate(self, op: Any, *other: Any, **options: Any) -> ColumnElement[Any]:
        """Return the condition."""
        is_positive = op in {operators.eq, operators.in_op}
        if is_positive or op in {operators.ne, operators.not_in_op}:
            given = other[0] if op in {operators.in_op, operators.not_in_op} else other
            states = _states(given)
            if states is not None:
                seq: ColumnElement[int] = self._parententity.entity.seq
                found = jobs_in(*states) if states else ()
                return seq.in_(found) if is_positive else seq.not_in(found)
        return super().operate(op, *other, **options)


def _states(given: Any) -> list[State] | None:
    """Return the states among the words; None: these are no words."""
    if not isinstance(given, Iterable):
        return None
    words = list(given)
    if not all(isinstance(word, str) for word in words):
        return None
    return [state for state in State if state in words]


class Job(_Row):
    """One request to run a task, with all that is known of it now; instants in milliseconds."""

    __module__ = "lightwork"

    __table__ = _JOB
    __mapper_args__ = {"primary_key": [_JOB.c.seq]}  # noqa: RUF012 - SQLAlchemy reads it as it is

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
        expires_at: Mapped[int | None]
        headers: Mapped[str | None]
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
        attempts: Mapped[list["Attempt"]]
        worker_row: Mapped["WorkerRow | None"]

    else:
        attempts = relationship(
            "Attempt",
            primaryjoin=_JOB.c.seq == foreign(tables.attempt.c.seq),
            order_by=tables.attempt.c.number,
            viewonly=True,
        )
        worker_row = relationship(
            "WorkerRow", primaryjoin=foreign(_JOB.c.worker) == worker.c.id, viewonly=True
        )
        state = column_property(_JOB.c.state, comparator_factory=_StateComparator)
        # A listing must not read what a thousand jobs were called with and returned.
        payload = deferred(_JOB.c.payload)
        result = deferred(_JOB.c.result)

    @classmethod
    def newest(cls, *, before: int | None = None, limit: int = 100) -> Select[Any]:
        """Return what selects jobs, newest first; `before`: below this `seq`, for the next page.

        More conditions may be added: `Job.newest(before=last.seq).where(Job.state == "failed")`.
        A page costs the same wherever it is, and what comes in meanwhile moves nothing.
        """
        found = select(cls).order_by(cls.seq.desc()).limit(limit)
        return found if before is None else found.where(cls.seq < before)

    def arguments(
        self, *, authkey: bytes = b"", fn: Callable[..., Any] | None = None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the positional and the keyword arguments that it is called with.

        Args:
            authkey: Verifies a pickle before it is loaded; plain data needs none.
            fn: The function, for classes that its annotations name.

        Raises:
            PayloadError: It is a pickle and there is no key, or not the right one; or it is
                damaged.
        """
        codec, subject = Codec(authkey=authkey), Subject(self.id, self.task)
        return codec.decode_call(subject, self.payload, fn)

    def value(self, *, authkey: bytes = b"", fn: Callable[..., Any] | None = None) -> Any:
        """Return what it has returned; see `arguments`.

        Raises:
            UsageError: It has not succeeded.
            PayloadError: As for `arguments`.
        """
        if self.state != State.SUCCEEDED:
            raise UsageError(f"job {self.seq} is {self.state}: only one that succeeded has a value")
        codec, subject = Codec(authkey=authkey), Subject(self.id, self.task)
        return codec.decode_result(subject, self.result or b"", fn=fn)

    def __repr__(self) -> str:
        return _shown(self, "seq", "task", "state")


class Attempt(_Row):
    """An ended attempt that did not succeed; columns as in tables.py."""

    __module__ = "lightwork"

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
        signal: Mapped[int | None]
        peak_memory: Mapped[int | None]
        job: Mapped[Job]
        worker_row: Mapped["WorkerRow | None"]

    else:
        job = relationship(
            Job, primaryjoin=foreign(tables.attempt.c.seq) == _JOB.c.seq, viewonly=True
        )
        worker_row = relationship(
            "WorkerRow", primaryjoin=foreign(tables.attempt.c.worker) == worker.c.id, viewonly=True
        )

    def __repr__(self) -> str:
        return _shown(self, "seq", "number", "outcome")


class WorkerRow(_Row):
    """One incarnation of a worker; columns as in tables/workers.py, instants in milliseconds.

    Its lease is counted by the database's clock: `lightwork workers` says who lives.
    """

    __module__ = "lightwork"

    __table__ = worker

    if TYPE_CHECKING:
        id: Mapped[uuid.UUID]
        name: Mapped[str]
        host: Mapped[str]
        pid: Mapped[int]
        slots: Mapped[int]
        queues: Mapped[str]
        tasks: Mapped[str | None]
        state: Mapped[str]
        started_at: Mapped[int]
        heartbeat_at: Mapped[int]
        lease_until: Mapped[int]

    def __repr__(self) -> str:
        return _shown(self, "name", "state")


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
