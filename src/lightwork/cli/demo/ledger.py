"""Ledger: all that the demo knows of its jobs, read from the store.

Reads the way any program may: SQLAlchemy's select on the classes Job and Attempt.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session

from lightwork.cli.demo.proof import Proof, find_proof
from lightwork.cli.demo.tasks import Report, measure
from lightwork.codec import Codec, Subject
from lightwork.model import FINAL_STATES, State
from lightwork.store.reading import Attempt, Job
from lightwork.store.sqlstore import open_store
from lightwork.store.views import WorkerView
from lightwork.work.keys import find_authkey

# What the store says of an attempt that was ended because its worker fell silent.
_LEASE_WORD: Final = "its lease"


@dataclass(frozen=True, slots=True, kw_only=True)
class LostAttempt:
    """An attempt with outcome lost, and how its job stands now."""

    job_id: uuid.UUID
    file: str
    number: int
    worker: uuid.UUID | None
    ended_at: int
    text: str
    state: State
    attempt: int
    crashes: int

    @property
    def key(self) -> tuple[uuid.UUID, int]:
        """What tells it from every other attempt."""
        return self.job_id, self.number

    @property
    def is_rescue(self) -> bool:
        """Whether its worker's lease ran out; otherwise its child died."""
        return _LEASE_WORD in self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """How things stand.

    Attributes:
        running: Names of the files that each worker holds, longest held first.
        workers: Every incarnation that the store knows, dead ones included.
        at_work: Workers with a job of which the store knows that it has begun.
    """

    total: int
    done: int
    failed: int
    running: Mapping[uuid.UUID, tuple[str, ...]]
    workers: Mapping[uuid.UUID, WorkerView]
    lost: tuple[LostAttempt, ...]
    at_work: frozenset[uuid.UUID] = frozenset()

    def held_by(self, worker: WorkerView | None) -> tuple[str, ...]:
        """Return the files that a worker holds."""
        return self.running.get(worker.id, ()) if worker else ()

    def find_worker(self, name: str, pid: int) -> WorkerView | None:
        """Return the latest incarnation of the worker with this name and process."""
        for worker in self.workers.values():
            if (worker.name, worker.pid) == (name, pid):
                return worker
        return None


@dataclass(frozen=True, slots=True)
class Failure:
    """A file whose job failed, and the error that the store recorded."""

    file: str
    error_type: str
    error_text: str


class Ledger:
    """Reads a store about the jobs of one demo.

    Args:
        url: URL of the store.
        files: Name of the file that each job is about.
    """

    def __init__(self, url: str, files: Mapping[uuid.UUID, str]) -> None:
        self._files = files
        self._store = open_store(url)
        self._engine = create_engine(url)
        self._codec = Codec(authkey=find_authkey())
        self._ours = Job.id.in_(list(files))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._engine.dispose()
        self._store.close()

    def drop_connections(self) -> None:
        """Read on new connections: an interrupted read keeps its old view of the file open."""
        self._engine.dispose()

    def snapshot(self) -> Snapshot:
        """Return how things stand now."""
        with Session(self._engine) as session:
            states = self._states(session)
            running = self._running(session)
            at_work = self._at_work(session)
            lost = self._lost(session)
        return Snapshot(
            total=len(self._files),
            done=sum(states.get(state, 0) for state in FINAL_STATES),
            failed=states.get(State.FAILED, 0),
            running=running,
            workers={worker.id: worker for worker in self._store.workers(include_dead=True)},
            lost=lost,
            at_work=at_work,
        )

    def failures(self) -> list[Failure]:
        """Return the jobs that failed, by file."""
        found = select(Job.id, Job.error_type, Job.error_text).where(
            self._ours, Job.state == State.FAILED
        )
        with Session(self._engine) as session:
            failures = [
                Failure(self._files[row.id], row.error_type or "", row.error_text or "")
                for row in session.execute(found)
            ]
        return sorted(failures, key=lambda failure: failure.file)

    def reports(self) -> dict[str, Report]:
        """Return what the jobs that succeeded returned, by file."""
        # All at once: a future for each job would be told of its outcome one by one.
        outcomes = self._store.outcomes(self._files)
        return {
            file: self._report(job_id, outcomes[job_id].result)
            for job_id, file in self._files.items()
            if job_id in outcomes and outcomes[job_id].state is State.SUCCEEDED
        }

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

    def _report(self, job_id: uuid.UUID, result: bytes) -> Report:
        subject = Subject(job_id, measure.name)
        report: Report = self._codec.decode_result(subject, result, fn=measure.fn)
        return report

    def _states(self, session: Session) -> dict[State, int]:
        counted = select(Job.state, func.count().label("jobs")).where(self._ours)
        return {row.state: row.jobs for row in session.execute(counted.group_by(Job.state))}

    def _running(self, session: Session) -> dict[uuid.UUID, tuple[str, ...]]:
        found = (
            select(Job.id, Job.worker).where(Job.state == State.RUNNING).order_by(Job.started_at)
        )
        running: dict[uuid.UUID, tuple[str, ...]] = {}
        for job_id, worker in session.execute(found):
            if worker is not None and job_id in self._files:
                running[worker] = (*running.get(worker, ()), self._files[job_id])
        return running

    def _at_work(self, session: Session) -> frozenset[uuid.UUID]:
        begun = select(Job.worker).where(self._ours, Job.state == State.RUNNING, Job.begun == 1)
        return frozenset(worker for worker in session.scalars(begun) if worker is not None)

    def _lost(self, session: Session) -> tuple[LostAttempt, ...]:
        found = (
            select(Attempt, Job)
            .join(Job, Job.seq == Attempt.seq)
            .where(Attempt.outcome == "lost")
            .order_by(Attempt.ended_at, Attempt.seq)
        )
        return tuple(
            LostAttempt(
                job_id=job.id,
                file=self._files[job.id],
                number=attempt.number,
                worker=attempt.worker,
                ended_at=attempt.ended_at,
                text=attempt.error_text or "",
                state=job.state,
                attempt=job.attempt,
                crashes=job.crashes,
            )
            for attempt, job in session.execute(found)
            if job.id in self._files
        )
