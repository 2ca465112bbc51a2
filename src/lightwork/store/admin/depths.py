"""Depths: how many jobs wait and run in each queue, counted up to a bound.

What a scraper asks every few seconds must cost the same however much there is: a queue
of a million is told as one of more than ten thousand.
"""

from typing import Final

from sqlalchemy import Connection

from lightwork.model import State
from lightwork.store.admin.counts import OTHERS, QUEUES, READY
from lightwork.store.admin.queries import WAITED
from lightwork.store.admin.queues import paused_queues
from lightwork.store.sql.lanes import ALL_LANES
from lightwork.store.sql.rows import number_of, text_of
from lightwork.store.views import DepthView

# Lanes of a queue that are asked for how long jobs wait there.
_MOST_LANES: Final = 100


def depths(connection: Connection, most: int) -> list[DepthView]:
    """Return the queues that have unfinished jobs or are paused; a number above `most`: more."""
    counts: dict[str, dict[State, int]] = {}
    waited: dict[str, float] = {}
    for queue in connection.scalars(QUEUES).all():
        values = {"b_queue": queue, "b_limit": most + 1}
        counts[text_of(queue)] = {State.READY: connection.execute(READY, values).scalar_one()}
        waited[text_of(queue)] = _waited(connection, queue)
    for state, statement in OTHERS.items():
        for queue, jobs in connection.execute(statement, {"b_limit": most + 1}):
            counts.setdefault(text_of(queue), {})[state] = jobs
    paused = paused_queues(connection)
    return [
        DepthView(
            queue=queue,
            jobs=counts.get(queue, {}),
            waited=waited.get(queue, 0.0),
            is_paused=queue in paused,
        )
        for queue in sorted(counts.keys() | paused.keys())
    ]


def _waited(connection: Connection, queue: str) -> float:
    """Return the seconds that the longest of those waits that are next in their lanes."""
    tasks = list(connection.scalars(ALL_LANES, {"b_queue": queue}))[:_MOST_LANES]
    ages = [connection.scalar(WAITED, {"b_queue": queue, "b_task": task}) for task in tasks]
    return max((number_of(age) for age in ages), default=0) / 1000
