"""Queues, as people change them: pause, resume, limit, purge; and who is paused, for those who claim.

A pause is a row of `queue`, which every claim looks at in the statement that takes jobs: it needs no
word to the workers, nor does a limit (operations/bounds/queue_limits.py). What runs, runs on; a claim that
is under way may still take what it has found.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, Select, bindparam, delete, select

from lightwork.errors import UsageError
from lightwork.model import ErrorInfo, State
from lightwork.store.admin.queries import summary
from lightwork.store.operations.bounds import queue_limits
from lightwork.store.operations.jobs import cancel_waiting
from lightwork.store.sql.jobs import WAITING
from lightwork.store.sql.rows import instant, text_of
from lightwork.store.sql.spelling import Spelling
from lightwork.store.tables.clock_sql import NOW
from lightwork.store.tables.jobs import TABLE_OF, job, ready
from lightwork.store.tables.queues import queue
from lightwork.store.tables.types import LARGEST
from lightwork.store.views import QueueView
from lightwork.tasks.names import is_odd

PURGED: Final = ErrorInfo(type="Purged", text="its queue was purged")
_LONGEST: Final = 100

_QUEUE: Final[BindParameter[str]] = bindparam("b_queue")
_IS_PAUSED: Final = select(queue.c.name).where(queue.c.name == _QUEUE)
_RESUME: Final = delete(queue).where(queue.c.name == _QUEUE)
_PAUSED: Final = select(queue.c.name, queue.c.paused_at)
# Locks skipped: whoever has one claims the job, or ends it.
_WAITING: Final[Mapping[State, Select[Any]]] = {
    state: select(table.c.seq, table.c.attempt, job.c.queue)
    .join_from(table, job, job.c.seq == table.c.seq)
    .where((ready if table is ready else job).c.queue == _QUEUE)
    .limit(bindparam("b_limit"))
    .with_for_update(skip_locked=True, of=table)
    for state, table in TABLE_OF.items()
    if state in WAITING
}


def pause(connection: Connection, spelling: Spelling, name: str) -> bool:
    """Let nobody claim from a queue any more; False: so it was already."""
    _check(name)
    if connection.scalar(_IS_PAUSED, {"b_queue": name}) is not None:
        return False
    now = connection.scalar(select(NOW))
    spelling.insert_missing(connection, queue, [{"b_name": name, "b_paused_at": now}])
    return True


def resume(connection: Connection, name: str) -> bool:
    """Let workers claim from a queue again; False: it was not paused."""
    _check(name)
    return connection.execute(_RESUME, {"b_queue": name}).rowcount == 1


def limit(connection: Connection, spelling: Spelling, name: str, running: int) -> bool:
    """Let at most so many jobs of a queue run at once, 0: any number; False: so it was already."""
    _check(name)
    if not 0 <= running <= LARGEST:
        raise UsageError(f"a queue's limit is a number of jobs, 0: any number; seen: {running}")
    return queue_limits.set_limit(connection, spelling, name, running)


def purge(connection: Connection, spelling: Spelling, name: str, most: int) -> int:
    """Cancel waiting jobs of a queue; return how many, `most`: there may be more."""
    _check(name)
    count = 0
    for state in WAITING:
        values = {"b_queue": name, "b_limit": most - count}
        rows = sorted(connection.execute(_WAITING[state], values), key=lambda row: row.seq)
        cancel_waiting(connection, spelling, state, rows, PURGED)
        count += len(rows)
    return count


def queues(connection: Connection) -> list[QueueView]:
    """Return the queues that have jobs, are paused or have a limit, by name."""
    seen = summary(connection)
    known, limits = seen.queues, seen.limits
    paused = paused_queues(connection)
    return [
        QueueView(
            name=name,
            states=known.get(name, {}),
            paused_at=paused.get(name),
            limit=limits.get(name, 0),
        )
        for name in sorted(known.keys() | paused.keys() | limits.keys())
    ]


def paused_queues(connection: Connection) -> dict[str, datetime]:
    """Return since when queues are paused."""
    return {text_of(row.name): instant(row.paused_at) for row in connection.execute(_PAUSED)}


def _check(name: str) -> None:
    if not 0 < len(name) <= _LONGEST or is_odd(name):
        raise UsageError(
            f"a queue has a name of 1 to {_LONGEST} characters, none of them for control, no space at an end; "
            f"seen: {name!r:.200}"
        )
