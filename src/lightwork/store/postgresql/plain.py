"""Plain jobs on PostgreSQL: kept by one statement, which is its own transaction.

    WITH given  AS (the ids and payloads),
         new    AS (INSERT INTO job SELECT ... FROM given ON CONFLICT (id) DO NOTHING RETURNING ...),
         placed AS (INSERT INTO ready SELECT ... FROM new)
    SELECT the ids of `given` that are not in `new`

One message and one commit, where BEGIN, two INSERTs and COMMIT were four, for each of which the server
had to wake up. It is planned each time: what is prepared belongs to a session, and a pooler gives
that to others. What all jobs have in common is sent once, so a thousand of them are two arrays.

Nothing is lost by there being no BEGIN: a statement is all or none, and whoever has lost the answer sends
it again, which keeps nothing twice, since the ids come from the client.
"""

import functools
from collections.abc import Collection

from sqlalchemy import Connection, Dialect, insert, select
from sqlalchemy.dialects import postgresql

from lightwork.store.postgresql.packed import Blobs, given_table
from lightwork.store.server.together import selected, together
from lightwork.store.sql.jobs import NEW_JOB, NEW_READY
from lightwork.store.sql.many import PlainJobs
from lightwork.store.tables.jobs import job, ready


def keep_plain(connection: Connection, plain: PlainJobs) -> Collection[bytes]:
    """Keep them; return the ids of those that were known before."""
    values = plain.common() | {"b_id": Blobs(plain.ids), "b_payload": Blobs(plain.payloads)}
    return connection.exec_driver_sql(_keep(connection.dialect), values).scalars().all()


@functools.cache
def _keep(dialect: Dialect) -> str:
    table = given_table({"b_id": job.c.id.type, "b_payload": job.c.payload.type})
    given = select(table.c.b_id, table.c.b_payload).cte("given")
    into_job = postgresql.insert(job).from_select(list(NEW_JOB), selected(NEW_JOB, job))
    new = (
        together(into_job.on_conflict_do_nothing(index_elements=["id"]), given)
        .returning(job.c.seq, job.c.queue, job.c.task, (-job.c.priority).label("rank"), job.c.id)
        .cte("new")
    )
    placed = insert(ready).from_select(NEW_READY, select(*(new.c[name] for name in NEW_READY)))
    known = select(given.c.b_id).where(given.c.b_id.not_in(select(new.c.id)))
    return str(known.add_cte(placed.cte("placed")).compile(dialect=dialect))
