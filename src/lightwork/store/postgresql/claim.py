"""Claim on PostgreSQL: from one lane, of jobs that need nothing else, by one statement.

    WITH next     AS (the claim's SELECT ... FOR UPDATE SKIP LOCKED),
         numbered AS (each with its place),
         given    AS (those that begin, and those before the first that nobody claims ahead;
                      none at all, if one of them is limited, gives its key back or has expired),
         gone     AS (DELETE FROM ready USING given WHERE guard RETURNING ...),
         placed   AS (INSERT INTO running SELECT ... FROM gone RETURNING seq)
    SELECT what the claim selects, whether it was placed, whether the queue has a limit

One message and one commit, where BEGIN, a SELECT, the move and COMMIT are four. All is decided by the
same conditions as in sql/lanes.py and operations/claiming.py, which take over where this has
found a job that takes more, or a queue that has a limit. Whatever else happens to a job meanwhile, the
guard of the DELETE decides, and what it did not let go is not told.

A second time it would claim others: who has lost the answer is told so, and asks what it holds.
"""

import functools
import uuid
from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Select,
    SelectBase,
    literal_column,
    select,
    text,
    true,
)

from lightwork.model import Lane
from lightwork.store.postgresql.behind import gap_values, next_behind
from lightwork.store.postgresql.driver import rows_of, with_constants
from lightwork.store.postgresql.marks import Place
from lightwork.store.server.together import moving, together
from lightwork.store.server.transactions import note_no_write
from lightwork.store.sql.lanes import CLAIM, HAS_LIMIT, NEXT_OF_LANE
from lightwork.store.tables.jobs import TIE_LIMITED, TIE_UNTIL_BEGIN, running

# The place of the job's number in what the claim selects; NULL: there is no job.
_SEQ: Final = 4
# Behind all that: whether it takes more, its place, whether it was placed, whether the queue has a limit.
_TAKES_MORE, _PLACE, _IS_PLACED, _IS_LIMITED = -4, -3, -2, -1
_END: Final = _TAKES_MORE
# In words of its own: with each column by its name the driver would have to read the text anew each time.
_JOB_TAKES_MORE: Final[ColumnElement[bool]] = literal_column(
    f"next.ties & {TIE_LIMITED | TIE_UNTIL_BEGIN} <> 0 OR next.is_expired <> 0"
)
_IS_GIVEN: Final = text(
    "NOT EXISTS (SELECT FROM numbered AS n WHERE n.takes_more) AND place < coalesce("
    "(SELECT min(n.place) FROM numbered AS n WHERE n.place > :b_slots AND n.is_suspect <> 0), "
    "2147483647)"
)


def claim_plain(
    connection: Connection,
    worker_id: uuid.UUID,
    lane: Lane,
    marks: Sequence[Place],
    *,
    slots: int,
    ahead: int,
) -> list[Any] | None:
    """Claim from one lane, behind its marks; None: that takes more than this statement, and nothing was claimed."""
    values: dict[str, Any] = {
        "b_worker": worker_id.bytes,
        "b_queue": lane.queue,
        "b_task": lane.task,
        "b_slots": slots,
        "b_limit": slots + ahead,
    }
    if marks:
        values |= gap_values(marks)
    following = next_behind() if marks else NEXT_OF_LANE
    rows = rows_of(connection, _claim(connection.dialect, following), values)
    if rows[0][_SEQ] is None:
        # Nothing was locked, so no transaction has got a number.
        note_no_write(connection)
        return None if rows[0][_IS_LIMITED] else []
    if any(map(itemgetter(_TAKES_MORE), rows)):
        return None
    placed = sorted(filter(itemgetter(_IS_PLACED), rows), key=itemgetter(_PLACE))
    return [row[:_END] for row in placed]


@functools.cache
def _claim(dialect: Dialect, following: Select[Any]) -> str:
    numbered = (
        select(
            literal_column("next.*"),
            _JOB_TAKES_MORE.label("takes_more"),
            literal_column("row_number() OVER ()").label("place"),
        )
        .select_from(following.cte("next"))
        .cte("numbered")
    )
    given = (
        select(
            literal_column("seq").label("b_seq"),
            literal_column("attempt").label("b_number"),
            literal_column("is_suspect & 1").label("b_begun"),
            literal_column("now").label("b_now"),
        )
        .select_from(numbered)
        .where(_IS_GIVEN)
        .cte("given")
    )
    placed = together(moving(CLAIM), given).returning(running.c.seq).cte("placed")
    # A row even where there is no job, to tell of the limit.
    one = select(literal_column("1")).subquery("one")
    claimed: SelectBase = select(
        literal_column("numbered.*"),
        # No join, of which nobody could say beforehand how many rows it has.
        literal_column("numbered.seq").in_(select(placed.c.seq)),
        HAS_LIMIT,
    ).select_from(one.outerjoin(numbered, true()))
    return with_constants(claimed, dialect, b_is_counted=0)
