"""Tallying: how many finished jobs each queue has, kept exact as they finish.

Called inside the transaction that changes the jobs, so a count can never differ
from its rows. Unfinished jobs are not tallied: the partial indexes count them.
"""

from collections import Counter
from collections.abc import Iterable

from sqlalchemy import Connection

from lightwork.model import State
from lightwork.store import statements as sql


def add(connection: Connection, finished: Iterable[tuple[str, State]]) -> None:
    """Count jobs, given as queue and state, that became final."""
    for (queue, state), more in sorted(Counter(finished).items(), key=str):
        _change(connection, queue, state, more)


def subtract(connection: Connection, finished: Iterable[tuple[str, State]]) -> None:
    """Count off jobs that are final no more, or are gone."""
    for (queue, state), fewer in sorted(Counter(finished).items(), key=str):
        _change(connection, queue, state, -fewer)


def recount(connection: Connection) -> None:
    """Count every finished job anew; reads them all."""
    connection.execute(sql.EMPTY_TALLY)
    connection.execute(sql.FILL_TALLY)


def _change(connection: Connection, queue: str, state: State, more: int) -> None:
    values = {"b_queue": queue, "b_state": state, "b_more": more}
    if connection.execute(sql.ADD_TO_TALLY, values).rowcount == 0:
        connection.execute(sql.START_TALLY, values)
