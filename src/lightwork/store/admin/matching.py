"""Matching: what is done to all jobs that match a filter, a batch in a transaction."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from lightwork.model import State
from lightwork.store.admin.queries import listing
from lightwork.store.contract import WhenRunning
from lightwork.store.operations import jobs, retrying
from lightwork.store.sql.rows import AnyRow
from lightwork.store.sql.spelling import Spelling
from lightwork.store.tables.jobs import job
from lightwork.store.views import ChangedJob, Hindrance, JobFilter


class Page(NamedTuple):
    """The newest so many jobs that match, of those below a seq if one is given."""

    which: JobFilter
    limit: int
    before_seq: int | None


def cancel(
    connection: Connection, spelling: Spelling, page: Page, running: WhenRunning
) -> list[ChangedJob]:
    """Cancel those that are still in the state of the filter; return all that were found."""
    found = _found(connection, page)
    among = frozenset({page.which.state})
    after = jobs.cancel(connection, spelling, [row.id for row in found], running, among=among)
    return _changed(found, after, {})


def retry(connection: Connection, spelling: Spelling, page: Page) -> list[ChangedJob]:
    """Make those ready that are still in the state of the filter; return all that were found."""
    found = _found(connection, page)
    among = frozenset({page.which.state})
    hindered: dict[UUID, Hindrance] = {}
    ids = [row.id for row in found]
    after = retrying.retry(connection, spelling, ids, among=among, hindered=hindered)
    return _changed(found, after, hindered)


def _found(connection: Connection, page: Page) -> Sequence[AnyRow]:
    which = page.which
    statement = listing(
        (job.c.id, job.c.seq),
        state=which.state,
        task=which.task or None,
        queue=which.queue or None,
        since=which.since or None,
        limit=page.limit,
        before_seq=page.before_seq,
    )
    return connection.execute(statement).all()


def _changed(
    found: Sequence[AnyRow], after: Mapping[UUID, State], hindered: Mapping[UUID, Hindrance]
) -> list[ChangedJob]:
    return [
        ChangedJob(id=row.id, seq=row.seq, state=after[row.id], hindrance=hindered.get(row.id))
        for row in found
        if row.id in after
    ]
