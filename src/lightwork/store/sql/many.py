"""Many: one statement for many rows, at the driver's speed.

SQLAlchemy compiles the statement, once per dialect; the rows then go to the driver
as they are. Its own treatment of each parameter of each row costs more than SQLite
needs to insert the row (measured: 33 k/s against 60 k/s and more for submit). So
values must be what the driver takes: ids as bytes, states as plain text.

Most jobs are plain: of one task and policy, they begin as soon as they are claimed and need nothing
else. What keeps them differs from row to row in two values, and can be one statement: a database that can
say "insert, and insert what was inserted there" needs one message and one commit for any number
of them, and no BEGIN (postgresql/plain.py). All others, those with a unique key, a limit, a parent,
tags, an end or a time at which they begin, are kept by operations/jobs.py row by row.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Connection, Dialect
from sqlalchemy.sql.dml import UpdateBase

from lightwork.model import NewJob, Policy
from lightwork.store.sql.rows import headers_text, policy_text

Row = Mapping[str, Any]

# Plain jobs of one statement, which a server keeps whole in memory.
MOST_JOBS: Final = 1000
MOST_BYTES: Final = 16 << 20


def execute_many(connection: Connection, statement: UpdateBase, rows: Sequence[Row]) -> int:
    """Execute the statement for each row; return how many rows were changed in all."""
    text, arrange = _compiled(statement, connection.dialect)
    return connection.exec_driver_sql(text, [arrange(row) for row in rows]).rowcount


# Some fifty statements for each store that is open.
@functools.lru_cache(maxsize=512)
def _compiled(statement: UpdateBase, dialect: Dialect) -> tuple[str, Callable[[Row], Any]]:
    compiled = statement.compile(dialect=dialect)
    # Values written into the statement itself; None for those that come with a row.
    fixed = {name: value for name, value in compiled.params.items() if value is not None}
    if compiled.positiontup is None:
        return str(compiled), lambda row: {**fixed, **row}
    names = compiled.positiontup
    # With a single name itemgetter would return the bare value.
    pick = itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)
    if fixed:
        return str(compiled), lambda row: pick({**fixed, **row})
    return str(compiled), pick


@dataclass(frozen=True, slots=True)
class PlainJobs:
    """Jobs of one task and policy; at least one, no id twice."""

    task: str
    policy: Policy
    ids: Sequence[bytes]
    payloads: Sequence[bytes]

    def common(self) -> dict[str, Any]:
        """Return what is the same for all, as parameters of jobs.NEW_JOB."""
        return {
            "b_task": self.task,
            "b_queue": self.policy.queue,
            "b_priority": self.policy.priority,
            "b_idempotent": int(self.policy.idempotent),
            "b_policy": policy_text(self.policy),
            "b_ties": 0,
            "b_limits": None,
            "b_unique_key": None,
            "b_headers": headers_text(self.policy.headers),
        }


def plain_jobs(jobs: Sequence[NewJob]) -> PlainJobs | None:
    """Return the jobs if they are plain, and no more than one statement takes."""
    if not 0 < len(jobs) <= MOST_JOBS:
        return None
    task, policy = jobs[0].task, jobs[0].policy
    if policy.delay or policy.at or policy.expires or policy.tags:
        return None
    for job in jobs:
        is_alike = (job.policy is policy or job.policy == policy) and job.task == task
        if not is_alike or job.after or job.unique or job.limits:
            return None
    ids = [job.id.bytes for job in jobs]
    payloads = [job.payload for job in jobs]
    if len(set(ids)) < len(ids) or sum(map(len, payloads)) > MOST_BYTES:
        return None
    return PlainJobs(task, policy, ids, payloads)
