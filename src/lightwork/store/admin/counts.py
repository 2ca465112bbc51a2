"""Counts: statements that count unfinished jobs up to a bound, and find what there is to count.

Whoever looks every second must not read a million rows for it. What is beyond the bound is told
as "more". Finished jobs are counted by nobody: the tally has them.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import BindParameter, FromClause, Select, String, bindparam, func, select

from lightwork.model import State
from lightwork.store.tables.jobs import TABLE_OF, job, ready

_LIMIT: Final[BindParameter[int]] = bindparam("b_limit")
_FIRST: Final = select(func.min(ready.c.queue).label("queue"))
_IS_OF_QUEUE: Final = ready.c.queue == bindparam("b_queue", type_=String)


def _queues() -> Select[Any]:
    """Select the queues that have ready jobs: one seek each, as sql/lanes.py has it."""
    known = _FIRST.cte("known", recursive=True)
    following = _FIRST.where(ready.c.queue > known.c.queue).correlate(known).scalar_subquery()
    known = known.union_all(select(following).where(known.c.queue.is_not(None)))
    return select(known.c.queue).where(known.c.queue.is_not(None))


def _some_of(table: FromClause) -> Select[Any]:
    some = select(table.c.seq).limit(_LIMIT).subquery("some_of_it")
    return (
        select(job.c.queue, func.count())
        .join_from(some, job, job.c.seq == some.c.seq)
        .group_by(job.c.queue)
    )


def _count(found: Select[Any]) -> Select[Any]:
    return select(func.count()).select_from(found.limit(_LIMIT).subquery("some_of_it"))


QUEUES: Final = _queues()
READY: Final = _count(select(ready.c.seq).where(_IS_OF_QUEUE))
READY_OF_LANE: Final = _count(
    select(ready.c.seq).where(_IS_OF_QUEUE, ready.c.task == bindparam("b_task", type_=String))
)
# Of each other state: queues, and how many jobs of each are among the first that are found.
OTHERS: Final[Mapping[State, Select[Any]]] = {
    state: _some_of(table)
    for state, table in TABLE_OF.items()
    if not state.is_final and state is not State.READY
}
