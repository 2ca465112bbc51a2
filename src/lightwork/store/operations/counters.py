"""Counters: how many finished jobs each queue has, kept exact as they finish.

Called inside the transaction that changes the jobs, so a count can never differ
from its rows. On servers each transaction appends what it adds, and whoever reads adds it up;
`fold`, a chore, keeps that short. Unfinished jobs are not tallied: their tables are small enough to be counted.
"""

from collections import Counter
from collections.abc import Iterable

from sqlalchemy import Connection

from lightwork.model import State
from lightwork.store.sql import upkeep as sql
from lightwork.store.sql.spelling import Spelling


def add(
    connection: Connection, spelling: Spelling, finished: Iterable[tuple[str, State]], sign: int = 1
) -> None:
    """Count jobs, given as queue and state, that became final."""
    for (queue, state), more in sorted(Counter(finished).items(), key=str):
        values = {"b_queue": queue, "b_state": state, "b_more": sign * more}
        spelling.note_count(connection, values)


def subtract(connection: Connection, spelling: Spelling, gone: Iterable[tuple[str, State]]) -> None:
    """Count off jobs that are final no more, or are gone."""
    add(connection, spelling, gone, -1)


def is_fold_due(connection: Connection) -> bool:
    """Return whether anything was appended that is not folded in."""
    return connection.execute(sql.IS_NOTED).first() is not None


def fold(connection: Connection, spelling: Spelling, limit: int) -> int:
    """Add what was appended to the counters themselves; return how many rows that were."""
    noted = connection.execute(sql.NOTED, {"b_limit": limit}).all()
    if not noted:
        return 0
    spelling.change_each(connection, sql.DELETE_NOTE, [{"b_number": row.number} for row in noted])
    more: Counter[tuple[str, State]] = Counter()
    for row in noted:
        more[row.queue, row.state] += row.jobs
    # In one order, as all locks are: two who fold wait for each other, and never both.
    for (queue, state), jobs in sorted(more.items(), key=str):
        values = {"b_queue": queue, "b_state": state, "b_more": jobs}
        spelling.add_to_counter(connection, values)
    return len(noted)


def recount(connection: Connection) -> None:
    """Count every finished job anew; reads them all. While others finish jobs it may miss some."""
    for empty in sql.EMPTY_TALLY:
        connection.execute(empty)
    connection.execute(sql.FILL_TALLY)
