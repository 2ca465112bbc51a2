"""Ties: rows beside a job that come with its submit and go with its end.

`job.ties` says of which kinds it has any, so that whoever claims and ends jobs without them looks
nowhere else. Called inside the transactions that submit, retry and prune.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Connection,
    String,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from lightwork.store.operations.bounds import limits
from lightwork.store.sql.in_lists import padded_chunks
from lightwork.store.sql.spelling import Spelling
from lightwork.store.sql.states import AMONG
from lightwork.store.tables.jobs import TIE_EXPIRES, TIE_TAGGED, expiry, job, tag
from lightwork.store.tables.queues import unique_key
from lightwork.store.tables.types import Id

_NEW: Final = job.c.id == bindparam("b_id", type_=Id)
# From when it could begin on; its own INSERT does not know the database's time.
_SET_EXPIRY: Final = (
    update(job)
    .where(_NEW)
    .values(
        expires_at=func.coalesce(
            bindparam("b_due_at", type_=BigInteger),
            job.c.created_at + bindparam("b_delay", type_=BigInteger),
        )
        + bindparam("b_lifetime", type_=BigInteger)
    )
)
_WATCH_EXPIRY: Final = insert(expiry).from_select(
    ["seq", "expires_at"], select(job.c.seq, job.c.expires_at).where(_NEW)
)
_TAG: Final = insert(tag).from_select(
    ["name", "seq"], select(bindparam("b_name", type_=String), job.c.seq).where(_NEW)
)
_FORGET_TAGS: Final = delete(tag).where(tag.c.seq.in_(AMONG))
_FORGET_EXPIRY: Final = delete(expiry).where(expiry.c.seq.in_(AMONG))
_NEVER_EXPIRES: Final = (
    update(job).where(job.c.seq.in_(AMONG), job.c.expires_at.is_not(None)).values(expires_at=None)
)
_TIED: Final = select(job.c.seq).where(job.c.seq.in_(AMONG), job.c.ties != 0)
_HELD_BY: Final = unique_key.c.job.in_(select(job.c.id).where(job.c.seq.in_(AMONG)))
_FREE_BEGUN: Final = delete(unique_key).where(_HELD_BY, unique_key.c.until == "begin")
_FREE_ENDED: Final = delete(unique_key).where(_HELD_BY, unique_key.c.until.in_(("begin", "end")))
_FREE_ALL: Final = delete(unique_key).where(_HELD_BY)


def tie(connection: Connection, spelling: Spelling, rows: Sequence[dict[str, Any]]) -> None:
    """Make what new jobs, given as parameters of their INSERT, have beside them."""
    if tagged := [row for row in rows if row["b_ties"] & TIE_TAGGED]:
        names = [{"b_id": row["b_id"], "b_name": name} for row in tagged for name in row["b_tags"]]
        spelling.execute_many(connection, _TAG, names)
    if expiring := [row for row in rows if row["b_ties"] & TIE_EXPIRES]:
        spelling.execute_many(connection, _SET_EXPIRY, expiring)
        spelling.execute_many(connection, _WATCH_EXPIRY, expiring)


def begin(connection: Connection, seqs: Iterable[int]) -> None:
    """Free the keys of jobs that are claimed, where they hold them until then."""
    for chunk in padded_chunks(seqs):
        connection.execute(_FREE_BEGUN, {"b_seqs": chunk})


def end(connection: Connection, seqs: Iterable[int]) -> None:
    """Free the keys of jobs that have ended, apart from those held for a period."""
    for chunk in padded_chunks(seqs):
        connection.execute(_FREE_ENDED, {"b_seqs": chunk})


def end_waiting(connection: Connection, seqs: Iterable[int]) -> None:
    """Do the same for jobs of which it is not known what they have beside them."""
    for chunk in padded_chunks(seqs):
        tied = connection.scalars(_TIED, {"b_seqs": chunk}).all()
        end(connection, tied)
        limits.forget(connection, tied)


def never_expire(connection: Connection, seqs: Iterable[int]) -> None:
    """Let these jobs wait for as long as they like."""
    for chunk in padded_chunks(seqs):
        connection.execute(_FORGET_EXPIRY, {"b_seqs": chunk})
        connection.execute(_NEVER_EXPIRES, {"b_seqs": chunk})


def forget(connection: Connection, seqs: Iterable[int]) -> None:
    """Delete what jobs that are about to be deleted have left."""
    for chunk in padded_chunks(seqs):
        connection.execute(_FORGET_TAGS, {"b_seqs": chunk})
        tied = connection.scalars(_TIED, {"b_seqs": chunk}).all()
        forget_expiry(connection, tied)
        for some in padded_chunks(tied):
            connection.execute(_FREE_ALL, {"b_seqs": some})


def forget_expiry(connection: Connection, seqs: Iterable[int]) -> None:
    """Look no more after the time of these jobs."""
    for chunk in padded_chunks(seqs):
        connection.execute(_FORGET_EXPIRY, {"b_seqs": chunk})
