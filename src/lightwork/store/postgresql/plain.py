"""Plain jobs on PostgreSQL: kept by one statement, which is its own transaction.

    WITH new    AS (INSERT INTO job SELECT ... FROM given ON CONFLICT (id) DO NOTHING RETURNING ...),
         placed AS (INSERT INTO ready SELECT ... FROM new)
    SELECT how many there are in `new`, and which, if they are not all

    WITH new AS (INSERT INTO job VALUES ... ON CONFLICT (id) DO NOTHING RETURNING ...)
    INSERT INTO ready SELECT ... FROM new RETURNING seq

One message and one commit, where BEGIN, two INSERTs and COMMIT were four, for each of which the server
had to wake up. A single job, the second, is said in fewer words, which are prepared where that is safe (sent.py): to
plan them takes as long as to do them. What all jobs have in common is sent once: a thousand of them are two arrays.

A batch of many of which nobody can know the ids is sent ahead of the answer to the one before, so that the server
is not idle while a program makes the next (`begin_plain`). It need not look for ids that are known, which is a fifth
of its work: a known one is an error, and then the first statement above has the word:

    WITH new AS (INSERT INTO job SELECT ... FROM given RETURNING seq)
    INSERT INTO ready SELECT seq, ... FROM new

Nothing is lost by there being no BEGIN: a statement is all or none, and whoever has lost the answer sends
it again, which keeps nothing twice, since the ids come from the client.
"""

import functools
from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Dialect,
    Insert,
    Integer,
    bindparam,
    case,
    func,
    insert,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.dml import ReturningInsert

from lightwork.store.postgresql.driver import rows_of
from lightwork.store.postgresql.packed import Blobs, given_table
from lightwork.store.postgresql.sent import numbered, sent, written_prepared
from lightwork.store.server.together import selected, together
from lightwork.store.server.transactions import NotWritten
from lightwork.store.sql.jobs import NEW_JOB, NEW_READY
from lightwork.store.sql.many import PlainJobs
from lightwork.store.tables.jobs import job, ready


def keep_plain(connection: Connection, plain: PlainJobs) -> Collection[bytes]:
    """Keep them; return the ids of those that were known before."""
    ids = plain.ids
    if len(ids) == 1:
        values = plain.common() | {"b_id": ids[0], "b_payload": plain.payloads[0]}
        written = written_prepared(connection, *_keep_one_prepared(connection.dialect), values)
        if written is None:
            written = len(rows_of(connection, _keep_one(connection.dialect), values))
        return [] if written else ids
    arrays = {"b_id": Blobs(ids), "b_payload": Blobs(plain.payloads), "b_count": len(ids)}
    ((count, new),) = rows_of(connection, _keep(connection.dialect), plain.common() | arrays)
    return [] if count == len(ids) else set(ids).difference(new or ())


@functools.cache
def _keep_one(dialect: Dialect) -> str:
    return str(_kept_one().returning(ready.c.seq).compile(dialect=dialect))


@functools.cache
def _keep_one_prepared(dialect: Dialect) -> tuple[bytes, Sequence[str]]:
    return numbered(str(_kept_one().compile(dialect=dialect)))


def _kept_one() -> Insert:
    new = _returning(postgresql.insert(job).values(NEW_JOB)).cte("new")
    return insert(ready).from_select(NEW_READY, select(*(new.c[name] for name in NEW_READY)))


@functools.cache
def _keep(dialect: Dialect) -> str:
    given = given_table({"b_id": job.c.id.type, "b_payload": job.c.payload.type})
    into_job = postgresql.insert(job).from_select(list(NEW_JOB), selected(NEW_JOB, job))
    new = _returning(together(into_job, given)).cte("new")
    placed = insert(ready).from_select(NEW_READY, select(*(new.c[name] for name in NEW_READY)))
    asked = bindparam("b_count", type_=Integer)
    which = case((func.count() < asked, func.array_agg(new.c.id)))
    found = select(func.count(), which).select_from(new)
    return str(found.add_cte(placed.cte("placed")).compile(dialect=dialect))


def begin_plain(connection: Connection, plain: PlainJobs) -> Callable[[], None]:
    """Send what keeps them, of which none is known; return what waits for the answer.

    What that raises is NotWritten if the server says so, and anything else if nobody knows.
    """
    driver: Any = connection.connection.driver_connection
    arrays = {"b_id": Blobs(plain.ids), "b_payload": Blobs(plain.payloads)}
    rank = {"b_rank": -plain.policy.priority}
    text, names = _keep_fresh(connection.dialect)
    batch = sent(driver, text, names, plain.common() | arrays | rank)

    def receive() -> None:
        if batch.receive() != len(plain.ids):
            raise NotWritten

    return receive


@functools.cache
def _keep_fresh(dialect: Dialect) -> tuple[bytes, Sequence[str]]:
    given = given_table({"b_id": job.c.id.type, "b_payload": job.c.payload.type})
    into_job = insert(job).from_select(list(NEW_JOB), selected(NEW_JOB, job))
    new = together(into_job, given).returning(job.c.seq).cte("new")
    alike = (
        bindparam(name, type_=column.type)
        for name, column in (("b_queue", ready.c.queue), ("b_task", ready.c.task))
    )
    rank = bindparam("b_rank", type_=ready.c.rank.type)
    placed = insert(ready).from_select(NEW_READY, select(new.c.seq, *alike, rank))
    return numbered(str(placed.compile(dialect=dialect)))


def _returning(into_job: Any) -> ReturningInsert[Any]:
    """Return an INSERT that skips known ids, and tells what `ready` needs of the others."""
    found: ReturningInsert[Any] = into_job.on_conflict_do_nothing(index_elements=["id"]).returning(
        job.c.seq, job.c.queue, job.c.task, (-job.c.priority).label("rank"), job.c.id
    )
    return found
