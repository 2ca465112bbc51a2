"""Ending on PostgreSQL: one job that has succeeded and is tied to nothing, by one statement.

    WITH gone   AS (DELETE FROM running WHERE guard RETURNING ...),
         placed AS (INSERT INTO outcome SELECT ... FROM gone RETURNING seq)
    INSERT INTO tally_delta SELECT queue, 'succeeded', 1 FROM placed

Nothing is locked before: that is for batches, which are to be locked in one order, and for ends of which
something is written before the move. The guard decides, and what it does not let go is not counted.
Who waits for the job is asked by the next statement, never by this one: whoever submits a child locks
its parent, and the snapshot of a statement that has waited for that lock is older than the child.

Mostly nobody waits for it, and nothing can begin for its end. Then all of it is one message, which is one transaction:

    BEGIN; SELECT FROM running WHERE guard FOR UPDATE;
    the same, of a job for which no other waits, in a queue that has no limit; COMMIT;
    on a quiet system NOTIFY, in a transaction of its own

From the first statement on nobody can submit a child, and the second sees those that were. Where it ends nothing, the
statements above decide, in a transaction. An idle worker's ack was five messages: BEGIN, two statements, COMMIT and the
ceremony of the pool.
"""

import functools
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Connection,
    Dialect,
    Select,
    String,
    bindparam,
    exists,
    insert,
    literal,
    literal_column,
    or_,
    select,
)

from lightwork.lifecycle import Succeeded
from lightwork.model import State
from lightwork.store.contracts.news import News
from lightwork.store.server.together import moving
from lightwork.store.server.transactions import note_no_write, note_told, word_of
from lightwork.store.sql.ends import END
from lightwork.store.sql.moves import Move, guard
from lightwork.store.sql.states import word
from lightwork.store.tables.dependencies import dependency
from lightwork.store.tables.jobs import outcome, running
from lightwork.store.tables.limits import QUEUE_KEY, limit_slot
from lightwork.store.tables.workers import tally_delta

# Whatever the database is set to: the second statement has to see what the first has waited for.
_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
# Behind BEGIN and the lock.
_MOVE: Final = 2


def succeed_one(connection: Connection, queue: str, values: Mapping[str, Any]) -> bool:
    """End a job, and count it; False: it was not as its guard says."""
    text, fixed = _succeed(connection.dialect)
    return connection.exec_driver_sql(text, {**fixed, **values, "b_queue": queue}).rowcount == 1


def succeed_alone(connection: Connection, queue: str, values: Mapping[str, Any]) -> bool:
    """End a job for which nothing can begin, and count it, by one message; False: nothing was changed."""
    driver: Any = connection.connection.driver_connection
    is_ended = False
    # In a transaction SQLAlchemy has to know of each statement.
    if driver.autocommit:
        text, fixed = _succeed_alone(connection.dialect)
        key = QUEUE_KEY + queue
        told = word_of(connection, News.ENDS)
        try:
            # Several statements are one message only without parameters: the driver writes them into the text.
            cursor = connection.dialect.loaded_dbapi.ClientCursor(driver)
            whole = f"{_BEGIN}; {text}; COMMIT; {told}"
            cursor.execute(whole, {**fixed, **values, "b_queue": queue, "b_key": key})
            is_ended = _moved(cursor) == 1
        except Exception:
            with suppress(Exception):
                driver.rollback()
            # On a lost connection this raises, and SQLAlchemy knows what that means. Else nothing was done, or all
            # but to send word, which fails if nobody reads the server's queue of words.
            is_ended = bool(connection.scalar(_IS_DONE, values)) and bool(told)
        else:
            if told:
                note_told(connection)
    if not is_ended:
        note_no_write(connection)
    return is_ended


# Who has claimed an attempt is the only one who can say that it has succeeded.
_IS_DONE: Final = select(
    exists().where(
        outcome.c.seq == bindparam("b_seq"),
        outcome.c.attempt == bindparam("b_number"),
        outcome.c.state == word(State.SUCCEEDED),
    )
)


def _moved(cursor: Any) -> int:
    """Return how many rows the move in a message has moved; read all of it."""
    counts = [cursor.rowcount]
    while cursor.nextset():
        counts.append(cursor.rowcount)
    return int(counts[_MOVE])


@functools.cache
def _succeed_alone(dialect: Dialect) -> tuple[str, dict[str, Any]]:
    move = END[Succeeded]
    is_heard = or_(
        exists().where(dependency.c.parent == bindparam("b_seq")),
        exists().where(limit_slot.c.key == bindparam("b_key", type_=String)),
    )
    text, fixed = _counting(replace(move, taking=move.taking.where(~is_heard)), dialect)
    lock: Select[Any] = (
        select(literal_column("1")).where(*guard(State.RUNNING)).with_for_update(of=running)
    )
    return f"{lock.compile(dialect=dialect)}; {text}", fixed


@functools.cache
def _succeed(dialect: Dialect) -> tuple[str, dict[str, Any]]:
    return _counting(END[Succeeded], dialect)


def _counting(move: Move, dialect: Dialect) -> tuple[str, dict[str, Any]]:
    """Return the text of a move that also counts, and what of its values is always the same."""
    placed = moving(move).returning(outcome.c.seq).cte("placed")
    counted = select(
        bindparam("b_queue", type_=String), word(State.SUCCEEDED), literal(1, BigInteger)
    ).select_from(placed)
    compiled = (
        insert(tally_delta)
        .from_select(["queue", "state", "jobs"], counted)
        .compile(dialect=dialect)
    )
    fixed = {name: value for name, value in compiled.params.items() if not name.startswith("b_")}
    return str(compiled), fixed
