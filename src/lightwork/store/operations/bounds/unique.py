"""Unique keys: at most one job of a key at a time, whoever submits at once.

A key is a row of `unique_key` that names the job which holds it, inserted in the transaction that
keeps the job: of two who insert the same one the database lets the second wait for the first. The look
before that saves an insert, and decides nothing. A key is freed in the transaction in which its
job is claimed or ends (ties.py), and taken again in the one that retries it (retrying.py). One that is held without right (a damaged store) is free to whoever
wants it, and `db check --repair` takes it away.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, exists, func, select, update

from lightwork.errors import DuplicateJob, StoreUnavailable
from lightwork.model import ErrorInfo, NewJob, State
from lightwork.store.operations import jobs as operations
from lightwork.store.sql.in_lists import padded_chunks
from lightwork.store.sql.jobs import STATES, WAITING
from lightwork.store.sql.rows import AnyRow, milliseconds
from lightwork.store.sql.spelling import Spelling
from lightwork.store.sql.states import AMONG, STATE, WHOLE
from lightwork.store.sql.upkeep import FAR
from lightwork.store.tables.clock_sql import NOW
from lightwork.store.tables.jobs import TIE_UNTIL_BEGIN, job
from lightwork.store.tables.queues import unique_key
from lightwork.store.tables.types import Id, IdBytes
from lightwork.store.views import KnownCall

Insert = Callable[[Connection, Spelling, Sequence[NewJob]], list[bool]]
# By the id of a job that was not kept, that of the one which stands for it.
Taken = dict[uuid.UUID, uuid.UUID]

# Rounds after which too many others want the same keys.
ROUNDS: Final = 50

_KEYS: Final = unique_key.c.key.in_(bindparam("b_keys", expanding=True, type_=IdBytes(16)))
_IS_OVER: Final = unique_key.c.expires_at <= NOW
_HELD: Final = (
    select(
        unique_key.c.key,
        unique_key.c.job,
        unique_key.c.until,
        unique_key.c.expires_at.is_not(None).label("has_period"),
        _IS_OVER.label("is_over"),
        STATE,
    )
    .select_from(unique_key)
    .outerjoin(WHOLE, job.c.id == unique_key.c.job)
    .order_by(unique_key.c.key)
)
_HOLDERS: Final = _HELD.where(_KEYS)
# Where the transaction sees an older state than its inserts: what is locked is read as it is now.
_HOLDERS_NOW: Final = _HOLDERS.with_for_update(of=unique_key)
_TAKE_OVER: Final = (
    update(unique_key)
    .where(
        unique_key.c.key == bindparam("b_key", type_=IdBytes(16)),
        unique_key.c.job == bindparam("b_before", type_=Id),
    )
    .values(
        job=bindparam("b_job", type_=Id),
        until=bindparam("b_until"),
        expires_at=bindparam("b_expires_at", type_=unique_key.c.expires_at.type),
    )
)
_KEPT: Final = select(job.c.seq, job.c.id, job.c.unique_key, job.c.ties).where(
    job.c.seq.in_(AMONG), job.c.unique_key.is_not(None)
)
_FREE: Final = delete(unique_key).where(_KEYS)
NEXT_OVER_IN: Final = select(func.min(unique_key.c.expires_at) - NOW).where(
    unique_key.c.expires_at < NOW + FAR
)
_OVER: Final = (
    select(unique_key.c.key)
    .where(_IS_OVER)
    .order_by(unique_key.c.key)
    .limit(bindparam("b_limit"))
    .with_for_update(skip_locked=True)
)
_IS_ONE_OVER: Final = select(exists().where(_IS_OVER))


class KeptKey(NamedTuple):
    """The key of a job that has ended, which it takes again when it is retried."""

    key: bytes
    job: uuid.UUID
    until: str


def submit(
    connection: Connection,
    spelling: Spelling,
    jobs: Sequence[NewJob],
    *,
    taken: Taken | None,
    known: dict[uuid.UUID, KnownCall] | None,
    insert: Insert,
    is_told: bool = True,
) -> list[bool]:
    """Insert the jobs by `insert`, apart from those whose key another job holds.

    Args:
        connection: In a transaction.
        spelling: Of its dialect.
        jobs: With keys or without.
        taken: Gets an entry for each that is not inserted for its key.
        known: Gets what is kept of each that is not inserted for its id.
        insert: Inserts jobs, and says of each whether it is new.
        is_told: There is somebody to hear that a job is refused; else it is skipped.

    Raises:
        DuplicateJob: One is to be refused; the transaction is to be undone.
    """
    has_keys = any(new.unique for new in jobs)
    found = _reserve(connection, spelling, jobs, is_told=is_told) if has_keys else {}
    if taken is not None:
        # The transaction may run a second time.
        taken.clear()
        taken.update(found)
    flags = iter(insert(connection, spelling, [new for new in jobs if new.id not in found]))
    is_new = [new.id not in found and next(flags) for new in jobs]
    if known is not None:
        old = [new.id for new, flag in zip(jobs, is_new, strict=True) if not flag]
        known.clear()
        known.update(operations.known_calls(connection, (one for one in old if one not in found)))
    return is_new


def too_many_rivals(count: int) -> StoreUnavailable:
    """Return what is raised when others were faster in every round."""
    return StoreUnavailable(
        f"{count} unique keys were taken by others again and again while they were asked for; "
        "nothing was kept: try again"
    )


def kept_keys(connection: Connection, seqs: Iterable[int]) -> dict[int, KeptKey]:
    """Return the keys that jobs which have ended take again, by their seqs."""
    return {
        row.seq: KeptKey(row.unique_key, row.id, _until(row.ties))
        for chunk in padded_chunks(seqs)
        for row in connection.execute(_KEPT, {"b_seqs": chunk})
    }


def holders(
    connection: Connection, kept: Iterable[KeptKey], *, is_now: bool
) -> dict[bytes, uuid.UUID]:
    """Return who holds these keys, by right or because this transaction has just taken it for them.

    `is_now`: as it is now, whatever the transaction saw first.
    """
    ours = {(one.key, one.job) for one in kept}
    found = _holders(connection, sorted({key for key, _job in ours}), is_now=is_now)
    return {key: row.job for key, row in found.items() if (key, row.job) in ours or _has_right(row)}


def take_kept(connection: Connection, spelling: Spelling, kept: Iterable[KeptKey]) -> None:
    """Insert these keys, where they are free; whether that was in time says the next look."""
    # In one order, as those of a submit.
    wanted = sorted(kept)
    held = _holders(connection, (one.key for one in wanted), is_now=False)
    rows = [
        {"b_key": one.key, "b_job": one.job.bytes, "b_until": one.until, "b_expires_at": None}
        for one in wanted
    ]
    _insert(
        connection, spelling, rows, {key: row for key, row in held.items() if not _has_right(row)}
    )


def give_up(connection: Connection, kept: Iterable[KeptKey]) -> None:
    """Free keys that this transaction has taken in vain."""
    _free(connection, [one.key for one in kept])


def is_one_over(connection: Connection) -> bool:
    """Return whether the period of any key is over."""
    return bool(connection.scalar(_IS_ONE_OVER))


def forget_over(connection: Connection, limit: int) -> None:
    """Forget keys whose period is over."""
    _free(connection, connection.scalars(_OVER, {"b_limit": limit}).all())


def problems(connection: Connection) -> list[str]:
    """Return what is wrong with the keys, a sentence each."""
    wrong = _held_without_right(connection)
    return [f"{len(wrong)} unique keys are held by jobs that should hold none"] if wrong else []


def repair(connection: Connection) -> list[str]:
    """Free keys that are held without right."""
    wrong = _held_without_right(connection)
    _free(connection, wrong)
    return [f"{len(wrong)} unique keys were freed"] if wrong else []


def _free(connection: Connection, keys: Iterable[bytes]) -> None:
    for chunk in padded_chunks(keys):
        connection.execute(_FREE, {"b_keys": chunk})


def _held_without_right(connection: Connection) -> list[bytes]:
    return [row.key for row in connection.execute(_HELD) if not _has_right(row)]


def _has_right(held: AnyRow) -> bool:
    """Whether the job may hold the key; one that does not exist may not."""
    if held.has_period:
        return held.state is not None and not held.is_over
    return held.state in WAITING or (held.until == "end" and held.state is State.RUNNING)


def _reserve(
    connection: Connection, spelling: Spelling, jobs: Sequence[NewJob], *, is_told: bool
) -> Taken:
    """Take the keys of the jobs; return which jobs are not to be kept, and what stands for each."""
    known = {
        row.id
        for chunk in padded_chunks(new.id for new in jobs if new.unique)
        for row in connection.execute(STATES, {"b_ids": chunk})
    }
    taken, wanted = _among_themselves(new for new in jobs if new.id not in known)
    for number in range(ROUNDS):
        held = _holders(connection, wanted, is_now=number > 1)
        for key, row in held.items():
            new = wanted[key]
            if row.job == new.id:
                del wanted[key]
            elif _has_right(row) and not _gives_way(
                connection, spelling, row, new, is_told=is_told
            ):
                taken[new.id] = row.job
                del wanted[key]
        if not wanted:
            # Whoever was to follow one that is not kept follows what stands for that.
            return {job_id: taken.get(holder, holder) for job_id, holder in taken.items()}
        _take(connection, spelling, wanted, held)
    raise too_many_rivals(len(wanted))


def _among_themselves(jobs: Iterable[NewJob]) -> tuple[Taken, dict[bytes, NewJob]]:
    """Return who stands for whom among jobs of one submit, and by its key who is to be kept."""
    taken: Taken = {}
    wanted: dict[bytes, NewJob] = {}
    for new in jobs:
        if new.unique is None:
            continue
        first = wanted.setdefault(new.unique.key, new)
        if first.id == new.id:
            continue
        if new.unique.on_conflict == "raise":
            raise _duplicate(new, first.id, "is submitted beside it")
        if new.unique.on_conflict == "skip":
            taken[new.id] = first.id
            continue
        taken = {one: new.id if kept == first.id else kept for one, kept in taken.items()}
        taken[first.id] = new.id
        wanted[new.unique.key] = new
    # In one order, whoever submits: two who wait for each other's keys would both fail.
    return taken, dict(sorted(wanted.items()))


def _holders(connection: Connection, keys: Iterable[bytes], *, is_now: bool) -> dict[bytes, AnyRow]:
    statement = _HOLDERS_NOW if is_now else _HOLDERS
    return {
        row.key: row
        for chunk in padded_chunks(keys)
        for row in connection.execute(statement, {"b_keys": chunk})
    }


def _gives_way(
    connection: Connection, spelling: Spelling, held: AnyRow, new: NewJob, *, is_told: bool
) -> bool:
    """Whether the job that holds the key is cancelled for the new one.

    Raises:
        DuplicateJob: The new one is to be refused.
    """
    assert new.unique is not None
    if new.unique.on_conflict == "skip":
        return False
    if new.unique.on_conflict == "raise":
        raise _duplicate(new, held.job, f"is {held.state}")
    text = f"job {new.id} of the same unique key has taken its place"
    why = ErrorInfo(type="Replaced", text=text)
    after = operations.cancel(connection, spelling, [held.job], "no", why=why).get(held.job)
    if after is not State.CANCELLED:
        if not is_told:
            return False
        raise _duplicate(new, held.job, f"is {after} and cannot be replaced")
    return True


def _take(
    connection: Connection,
    spelling: Spelling,
    wanted: Mapping[bytes, NewJob],
    held: Mapping[bytes, AnyRow],
) -> None:
    """Insert the keys that are free; whether that was in time says the next look."""
    now: int = connection.scalar(select(NOW)) or 0
    _insert(connection, spelling, [_row(new, now) for new in wanted.values()], held)


def _insert(
    connection: Connection,
    spelling: Spelling,
    rows: Sequence[dict[str, Any]],
    held: Mapping[bytes, AnyRow],
) -> None:
    # One that is held without right, or by a job that has just been cancelled for a period's key.
    for row in rows:
        before = held.get(row["b_key"])
        if before is not None:
            change = {name: row[name] for name in ("b_key", "b_until", "b_expires_at")}
            new = uuid.UUID(bytes=row["b_job"])
            connection.execute(_TAKE_OVER, change | {"b_before": before.job, "b_job": new})
    spelling.insert_missing(connection, unique_key, rows)


def _until(its_ties: int) -> str:
    return "begin" if its_ties & TIE_UNTIL_BEGIN else "end"


def _row(new: NewJob, now: int) -> dict[str, Any]:
    assert new.unique is not None
    period = milliseconds(new.unique.period)
    return {
        "b_key": new.unique.key,
        "b_job": new.id.bytes,
        "b_until": "" if period else new.unique.until,
        "b_expires_at": now + period if period else None,
    }


def _duplicate(new: NewJob, holder: uuid.UUID, state: str) -> DuplicateJob:
    return DuplicateJob(
        f"a job of {new.task} with the same unique key is there: job {holder}, which {state}; "
        "nothing was kept",
        job_id=str(holder),
    )
