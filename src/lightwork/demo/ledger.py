"""Ledger: how the jobs of this demo stand, read from the store.

Reads the way any program may: SQLAlchemy's select on the classes Job and Attempt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import NullPool, create_engine, func, select
from sqlalchemy.orm import Session

from lightwork.demo.proof import Proof, find_proof
from lightwork.model import FINAL_STATES, State
from lightwork.store.contract import Store
from lightwork.store.orm import Attempt, Job
from lightwork.store.views import WorkerView


@dataclass(frozen=True, slots=True)
class LostAttempt:
    """An attempt with outcome lost, and how its job stands now."""

    file: str
    job_id: UUID
    number: int
    worker: UUID | None
    ended_at: int
    text: str
    state: State
    attempt: int
    crashes: int

    @property
    def key(self) -> tuple[UUID, int]:
        """What tells it from every other attempt."""
        return self.job_id, self.number

    @property
    def is_rescue(self) -> bool:
        """Whether its worker's lease ran out; otherwise its child died."""
        return "its lease" in self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """How things stand.

    Attributes:
        running: Names of the files that each worker holds, longest held first.
        begun: Of these, how many it is known to have begun.
        workers: Every incarnation that the store knows, dead ones included.
    """

    total: int
    done: int
    failed: int
    running: Mapping[UUID, list[str]]
    begun: Mapping[UUID, int]
    workers: Mapping[UUID, WorkerView]
    lost: list[LostAttempt]

    def find_worker(self, name: str, pid: int) -> UUID | None:
        """Return the latest incarnation of the worker with this name and process."""
        found = (one.id for one in self.workers.values() if (one.name, one.pid) == (name, pid))
        return next(found, None)


class Ledger:
    """Reads a store about the jobs of one demo, each about the file of this name."""

    def __init__(self, store: Store, files: Mapping[UUID, str]) -> None:
        self._store = store
        self._files = files
        # A connection for each look: one that a Ctrl-C interrupts keeps its old view.
        self._engine = create_engine(store.url, poolclass=NullPool)
        self._ours = Job.id.in_(list(files))
        with Session(self._engine) as session:
            numbers = session.scalars(select(Job.seq).where(self._ours)).all()
        # By number 2 ms instead of 8: ten times a second, beside workers on the same cores.
        self._counted = select(Job.state, func.count().label("jobs")).where(Job.seq.in_(numbers))

    def snapshot(self) -> Snapshot:
        """Return how things stand now."""
        with Session(self._engine) as session:
            states, lost = self._states(session), self._lost(session)
            running, begun = self._running(session)
        return Snapshot(
            total=len(self._files),
            done=sum(states.get(state, 0) for state in FINAL_STATES),
            failed=states.get(State.FAILED, 0),
            running=running,
            begun=begun,
            workers={worker.id: worker for worker in self._store.workers(include_dead=True)},
            lost=lost,
        )

    def count_attempts(self) -> int:
        """Return how many attempts have ended; the last ones of jobs that succeeded included."""
        others = select(func.count()).select_from(Attempt).join(Job, Job.seq == Attempt.seq)
        with Session(self._engine) as session:
            succeeded = self._states(session).get(State.SUCCEEDED, 0)
            return succeeded + (session.scalar(others.where(self._ours)) or 0)

    def proof(self) -> Proof:
        """Check that every file has exactly one recorded outcome."""
        with Session(self._engine) as session:
            return find_proof(session, self._ours, files=len(self._files))

    def _states(self, session: Session) -> dict[State, int]:
        rows = session.execute(self._counted.group_by(Job.state))
        return {row.state: row.jobs for row in rows}

    def _running(self, session: Session) -> tuple[dict[UUID, list[str]], dict[UUID, int]]:
        found = select(Job.id, Job.worker, Job.begun).where(Job.state == State.RUNNING)
        running: dict[UUID, list[str]] = {}
        begun: dict[UUID, int] = {}
        for job_id, worker, has_begun in session.execute(found.order_by(Job.started_at)):
            if worker is not None and job_id in self._files:
                running.setdefault(worker, []).append(self._files[job_id])
                begun[worker] = begun.get(worker, 0) + has_begun
        return running, begun

    def _lost(self, session: Session) -> list[LostAttempt]:
        found = (
            select(
                Job.id.label("job_id"),
                *(Attempt.number, Attempt.worker, Attempt.ended_at),
                func.coalesce(Attempt.error_text, "").label("text"),
                *(Job.state, Job.attempt, Job.crashes),
            )
            .join(Attempt, Attempt.seq == Job.seq)
            .where(Attempt.outcome == "lost")
            .order_by(Attempt.ended_at, Attempt.seq)
        )
        return [
            LostAttempt(file=self._files[row.job_id], **row._asdict())
            for row in session.execute(found)
            if row.job_id in self._files
        ]
