"""Workers: their leases, from registration to sign-off.

A lease ends once and for all: renewing is guarded by a live lease, so whoever was
declared dead stays dead and must register under a new id.
"""

import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import msgspec
from sqlalchemy import Connection

from lightwork.errors import UsageError
from lightwork.lifecycle import Released
from lightwork.model import Attempt, WorkerInfo
from lightwork.store.operations.attempts import Ending, end_attempts
from lightwork.store.sql import workers as sql
from lightwork.store.sql.ends import HELD_BY, HELD_NOW
from lightwork.store.sql.rows import milliseconds, number_of, storable
from lightwork.store.sql.spelling import Spelling

# Whether a worker may act, as far as its machine knows; None: only its lease can tell.
IsLive: TypeAlias = Callable[[uuid.UUID], bool | None]

_BATCH = 1000
# Far more than a worker ever holds.
_MOST_HELD = 100_000


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


def drain(connection: Connection, worker_ids: Iterable[uuid.UUID]) -> list[uuid.UUID]:
    """Tell workers to claim nothing more and to end; return those that had not been told."""
    return [
        worker_id
        for worker_id in sorted(worker_ids)
        if connection.execute(sql.DRAIN, {"b_worker": worker_id}).rowcount == 1
    ]


def is_draining(connection: Connection, worker_id: uuid.UUID) -> bool:
    """Return whether the worker was told so."""
    return connection.execute(sql.IS_DRAINING, {"b_worker": worker_id}).first() is not None


def draining(connection: Connection) -> list[uuid.UUID]:
    """Return all who were told so."""
    return list(connection.scalars(sql.ALL_DRAINING))


def renew(
    connection: Connection, worker_id: uuid.UUID, lease: float, *, is_living: bool = False
) -> bool:
    """Extend a live lease; False: there is none.

    Args:
        connection: In a transaction.
        worker_id: Whose.
        lease: Seconds.
        is_living: It is known to live, so only who was declared dead is refused.
    """
    values = {"b_worker": worker_id, "b_lease": milliseconds(lease)}
    statement = sql.RENEW_LIVING if is_living else sql.RENEW
    return connection.execute(statement, values).rowcount == 1


def renew_all(
    connection: Connection, worker_ids: Iterable[uuid.UUID], lease: float
) -> set[uuid.UUID]:
    """Extend the live leases of these workers; return whose these are."""
    renewed: set[uuid.UUID] = set()
    wanted = list(worker_ids)
    for start in range(0, len(wanted), _BATCH):
        ids = wanted[start : start + _BATCH]
        values = {"b_workers": ids, "b_lease": milliseconds(lease)}
        if connection.execute(sql.RENEW_MANY, values).rowcount == len(ids):
            renewed.update(ids)
        else:
            # Of the others none can live by now: what is over stays so.
            renewed.update(connection.scalars(sql.LIVE_OF, {"b_workers": ids}))
    return renewed


def any_ended(connection: Connection, is_live: IsLive, late: Sequence[uuid.UUID]) -> bool:
    """Return whether `end_leases` would declare anybody dead.

    It is asked seven times a second, so nobody is looked at whose lease holds.

    Args:
        connection: In a transaction.
        is_live: Tells more than the database can.
        late: Of whom it is known that they may not act, whatever the database says.
    """
    for stored in connection.scalars(sql.OVER):
        is_id = isinstance(stored, bytes) and len(stored) == 16
        if not (is_id and is_live(uuid.UUID(bytes=stored))):
            return True
    if not late:
        return False
    return connection.execute(sql.NOT_DEAD_OF, {"b_workers": list(late)}).first() is not None


def end_leases(connection: Connection, is_live: IsLive) -> None:
    """Declare workers dead that are, or whose lease ran out."""
    living: list[uuid.UUID] = []
    for stored in connection.scalars(sql.NOT_DEAD).all():
        if not isinstance(stored, bytes) or len(stored) != 16:
            continue
        worker_id = uuid.UUID(bytes=stored)
        match is_live(worker_id):
            case True:
                living.append(worker_id)
            case False:
                connection.execute(sql.SIGN_OFF, {"b_worker": worker_id})
    connection.execute(sql.END_LEASES, {"b_living": living})


def sign_off(connection: Connection, spelling: Spelling, worker_id: uuid.UUID) -> None:
    """End the lease and release what the worker still holds."""
    connection.execute(sql.SIGN_OFF, {"b_worker": worker_id})
    while any(end_attempts(connection, spelling, _held_by(connection, worker_id))):
        pass


def has_others(connection: Connection, worker_id: uuid.UUID, held: Iterable[Attempt]) -> bool:
    """Whether a live worker is said to hold anything apart from these; takes no lock."""
    found = connection.execute(HELD_NOW, {"b_worker": worker_id, "b_limit": _MOST_HELD})
    return not {(row.seq, row.attempt) for row in found} <= _keys(held)


def release_others(
    connection: Connection, spelling: Spelling, worker_id: uuid.UUID, held: Iterable[Attempt]
) -> int:
    """Release what a live worker is said to hold and knows nothing of; return how many."""
    known = _keys(held)
    others = [
        ending
        for ending in _held_by(connection, worker_id, _MOST_HELD)
        if (ending.seq, ending.number) not in known
    ]
    return sum(end_attempts(connection, spelling, others))


def _keys(held: Iterable[Attempt]) -> set[tuple[int, int]]:
    return {(attempt.seq, attempt.number) for attempt in held}


def _held_by(connection: Connection, worker_id: uuid.UUID, limit: int = _BATCH) -> list[Ending]:
    found = connection.execute(HELD_BY, {"b_worker": worker_id, "b_limit": limit})
    return [
        Ending(
            seq=row.seq,
            number=row.attempt,
            worker=worker_id.bytes,
            queue=row.queue,
            ties=number_of(row.ties),
            end=Released(),
        )
        for row in found
    ]
