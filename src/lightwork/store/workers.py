"""Workers: their leases, from registration to sign-off.

A lease ends once and for all: renewing is guarded by a live lease, so whoever was
declared dead stays dead and must register under a new id.
"""

import uuid
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from lightwork.errors import UsageError
from lightwork.lifecycle import Released
from lightwork.model import WorkerInfo
from lightwork.store import statements as sql
from lightwork.store.attempts import Ending, end_attempts
from lightwork.store.rows import milliseconds, storable

_BATCH = 1000


def register(connection: Connection, worker: WorkerInfo, lease: float) -> None:
    """Make a worker known and give it a lease."""
    if connection.scalar(sql.IS_KNOWN, {"b_worker": worker.id}) is not None:
        raise UsageError(
            f"worker {worker.name!r}: the id {worker.id} was registered before; "
            "every start of a worker needs a fresh random id"
        )
    values = {
        "b_worker": worker.id,
        "b_name": storable(worker.name, 200),
        "b_host": storable(worker.host, 255),
        "b_pid": worker.pid,
        "b_slots": worker.slots,
        "b_queues": msgspec.json.encode(worker.queues).decode(),
        "b_tasks": msgspec.json.encode(worker.tasks).decode(),
        "b_lease": milliseconds(lease),
    }
    connection.execute(sql.REGISTER, values)


def publish_tasks(connection: Connection, worker_id: uuid.UUID, tasks: Sequence[str]) -> None:
    """Keep the names of the tasks that a worker knows, while it is not dead."""
    values = {"b_worker": worker_id, "b_tasks": msgspec.json.encode(tasks).decode()}
    connection.execute(sql.PUBLISH_TASKS, values)


def renew(connection: Connection, worker_id: uuid.UUID, lease: float) -> bool:
    """Extend a live lease; False: there is none."""
    values = {"b_worker": worker_id, "b_lease": milliseconds(lease)}
    return connection.execute(sql.RENEW, values).rowcount == 1


def sign_off(connection: Connection, worker_id: uuid.UUID) -> None:
    """End the lease and release what the worker still holds."""
    connection.execute(sql.SIGN_OFF, {"b_worker": worker_id})
    while any(end_attempts(connection, _held_by(connection, worker_id))):
        pass


def _held_by(connection: Connection, worker_id: uuid.UUID) -> list[Ending]:
    found = connection.execute(sql.HELD_BY, {"b_worker": worker_id, "b_limit": _BATCH})
    return [
        Ending(
            seq=row.seq, number=row.attempt, worker=worker_id.bytes, queue=row.queue, end=Released()
        )
        for row in found
    ]
