"""Steps that tests of stores share: make jobs and workers, move the database's clock."""

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import NullPool, create_engine, text

from lightwork.model import Attempt, ErrorInfo, Lane, NewJob, Policy, State, WorkerInfo
from lightwork.store.contract import Store
from lightwork.store.views import JobView
from net.served import database_url

# Where all jobs of these tests wait, unless they say otherwise.
LANES = [Lane("default", "jobs:work")]
ERROR = ErrorInfo(type="ValueError", text="no", traceback="Traceback: no")


def new_job(*, task: str = "jobs:work", payload: bytes = b"payload", **policy: Any) -> NewJob:
    return NewJob(id=uuid.uuid4(), task=task, payload=payload, policy=Policy(**policy))


def submitted(store: Store, **policy: Any) -> uuid.UUID:
    job = new_job(**policy)
    store.submit([job])
    return job.id


def registered(store: Store, *, name: str = "worker", lease: float = 60.0) -> uuid.UUID:
    worker = WorkerInfo(id=uuid.uuid4(), name=name, host="host", pid=1, slots=4)
    store.register(worker, lease=lease)
    return worker.id


def claim_one(store: Store, worker_id: uuid.UUID) -> Attempt:
    (attempt,) = store.claim(worker_id, lanes=LANES, limit=1)
    return attempt


def begin_one(store: Store, worker_id: uuid.UUID) -> Attempt:
    """Claim a job and say that its attempt has begun."""
    attempt = claim_one(store, worker_id)
    store.ack(worker_id, [], begun=[attempt])
    return attempt


def view_of(store: Store, job_id: uuid.UUID) -> JobView:
    view = store.job(job_id)
    assert view is not None
    return view


def state_of(store: Store, job_id: uuid.UUID) -> State:
    return store.states([job_id])[job_id]


def execute(store: Store, statement: str, values: Mapping[str, Any] | None = None) -> None:
    """Change the database behind the store's back: the only way to move its clock."""
    engine = create_engine(database_url(store), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(statement), values or {})


def scalar(store: Store, statement: str) -> Any:
    """Ask the database behind the store's back for one value."""
    engine = create_engine(database_url(store), poolclass=NullPool)
    with engine.connect() as connection:
        return connection.scalar(text(statement))


def end_lease(store: Store, worker_id: uuid.UUID) -> None:
    execute(store, "UPDATE worker SET lease_until = 1 WHERE id = :id", {"id": worker_id.bytes})


def make_due(store: Store, job_id: uuid.UUID) -> None:
    execute(
        store,
        "UPDATE scheduled SET due_at = 1 WHERE seq = (SELECT seq FROM job WHERE id = :id)",
        {"id": job_id.bytes},
    )


def rescue_from(store: Store, worker_id: uuid.UUID) -> None:
    end_lease(store, worker_id)
    store.rescue()
