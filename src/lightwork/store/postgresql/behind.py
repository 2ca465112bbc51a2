"""Behind: looks for jobs that read of the index only what lies between marks, see marks.py.

    gap   what of a lane lies behind one mark and before the rank of the next:
          (rank, seq) > (mark) AND rank < (that of the next mark)

Each gap is a seek, and is read from there until enough is found. Lanes that have no mark lie between those that have:
task > (one that has) AND task < (the next). All ends are comparisons of a single column: where a comparison of
rows is decided by a later column than its first, the server does not take that for the end, and reads on.

Text, not expressions: to SQLAlchemy a row of a LATERAL has to be spelled out column by column.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Connection,
    Select,
    bindparam,
    column,
    func,
    select,
    true,
    tuple_,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import ARRAY

from lightwork.clock import monotonic
from lightwork.store.postgresql.marks import Marks, Place, QueueLook
from lightwork.store.postgresql.packed import Integers, Texts
from lightwork.store.sql.lanes import NEXT, OF_LANE
from lightwork.store.tables.jobs import ready

# No rank of a job is as far from 0.
_FAR: Final = 1 << 40
# The last number that was given to a job, whoever was given it.
LAST_NUMBER: Final = (
    "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('job', 'seq')::regclass), 0)"
)
_GAPS: Final = """
unnest(%(b_tasks)s::text[], %(b_ranks)s::bigint[], %(b_seqs)s::bigint[], %(b_ends)s::bigint[])
    AS gap (task, rank, seq, end_rank)"""
_IN_GAP: Final = """
ready.queue = %(b_queue)s AND ready.task = gap.task
    AND (ready.rank, ready.seq) > (gap.rank, gap.seq) AND ready.rank < gap.end_rank
    ORDER BY ready.queue, ready.task, ready.rank, ready.seq"""
# One of the two has no row, and is not looked for: there is an end, or there is none.
_NEXT_LANE: Final = """
LATERAL (
    (SELECT ready.task, ready.rank, ready.seq FROM ready
     WHERE between.end_task IS NULL AND ready.queue = %(b_queue)s AND ready.task > between.task
     ORDER BY ready.queue, ready.task, ready.rank, ready.seq LIMIT 1)
    UNION ALL
    (SELECT ready.task, ready.rank, ready.seq FROM ready
     WHERE ready.queue = %(b_queue)s AND ready.task > between.task
       AND ready.task < between.end_task
     ORDER BY ready.queue, ready.task, ready.rank, ready.seq LIMIT 1)
) AS found"""
# The first job of each gap, and of each lane between those that have marks.
_LANES: Final = f"""
WITH RECURSIVE marked AS (
    SELECT DISTINCT task FROM unnest(%(b_tasks)s::text[]) AS marked (task)
), other (task, rank, seq, end_task) AS (
    SELECT found.task::text, found.rank, found.seq, between.end_task
    FROM (SELECT task, lead(task) OVER (ORDER BY task) AS end_task FROM marked
          UNION ALL SELECT '', min(task) FROM marked) AS between,{_NEXT_LANE}
    UNION ALL
    SELECT found.task::text, found.rank, found.seq, between.end_task
    FROM other AS between,{_NEXT_LANE}
)
SELECT task, rank, seq FROM other
UNION ALL
SELECT gap.task, found.rank, found.seq
FROM {_GAPS}, LATERAL (SELECT ready.rank, ready.seq FROM ready WHERE {_IN_GAP} LIMIT 1) AS found
"""  # noqa: S608 - of constants
_BEST: Final = f"""
SELECT found.rank, found.seq
FROM {_GAPS},
LATERAL (SELECT ready.rank, ready.seq FROM ready WHERE {_IN_GAP} LIMIT %(b_limit)s) AS found
ORDER BY found.rank, found.seq LIMIT %(b_limit)s
"""  # noqa: S608 - of constants


def first_of_lanes(connection: Connection, look: QueueLook) -> dict[str, Place]:
    """Return the first job that is ready of each lane of a queue, as far as the look goes."""
    found: dict[str, Place] = {}
    for task, rank, seq in connection.exec_driver_sql(_LANES, _values(look.queue, look.marks)):
        place = Place(rank, seq)
        found[task] = min(place, found.get(task, place))
    return found


def look_at_lanes(
    connection: Connection, marks: Marks, queue: str, *, is_full: bool = False
) -> tuple[QueueLook, dict[str, Place]]:
    """Look at the lanes of a queue, and move its marks by what is found."""
    look = marks.begin(queue, monotonic(), is_full=is_full)
    first = first_of_lanes(connection, look)
    marks.end(look, monotonic(), first)
    return look, first


def best_behind(
    connection: Connection, queue: str, marks: Mapping[str, Sequence[Place]], limit: int
) -> list[tuple[int, int]]:
    """Return rank and seq of the jobs that come first over all these lanes."""
    values = _values(queue, marks) | {"b_limit": limit}
    return [(rank, seq) for rank, seq in connection.exec_driver_sql(_BEST, values)]


def _values(queue: str, marks: Mapping[str, Sequence[Place]]) -> dict[str, Any]:
    gaps = [(task, *gap) for task, places in marks.items() for gap in gaps_of(places)]
    return {
        "b_queue": queue,
        "b_tasks": Texts([task for task, _rank, _seq, _end in gaps]),
        "b_ranks": Integers([rank for _task, rank, _seq, _end in gaps]),
        "b_seqs": Integers([seq for _task, _rank, seq, _end in gaps]),
        "b_ends": Integers([end for _task, _rank, _seq, end in gaps]),
    }


def gaps_of(marks: Sequence[Place]) -> list[tuple[int, int, int]]:
    """Return what is to be read of a lane: behind which rank and seq, and before which rank."""
    begins = [Place(-_FAR, 0), *marks]
    ends = [*(mark.rank for mark in marks), _FAR]
    return [(begin.rank, begin.seq, end) for begin, end in zip(begins, ends, strict=True)]


def gap_values(marks: Sequence[Place]) -> dict[str, Any]:
    """Return the parameters of `next_behind`."""
    ranks, seqs, ends = zip(*gaps_of(marks), strict=True)
    return {"b_ranks": Integers(ranks), "b_seqs": Integers(seqs), "b_ends": Integers(ends)}


@functools.cache
def next_behind() -> Select[Any]:
    """Select as NEXT_OF_LANE does, gap after gap, until there are enough."""
    names = {"b_ranks": "rank", "b_seqs": "seq", "b_ends": "end_rank"}
    arrays = (sql_cast(bindparam(name), ARRAY(BigInteger())) for name in names)
    columns = (column(name, BigInteger()) for name in names.values())
    gap = func.unnest(*arrays).table_valued(*columns, name="gap").render_derived()
    found = (
        NEXT.where(
            *OF_LANE,
            tuple_(ready.c.rank, ready.c.seq) > tuple_(gap.c.rank, gap.c.seq),
            ready.c.rank < gap.c.end_rank,
        )
        .limit(bindparam("b_limit"))
        .lateral("found")
    )
    return select(*found.c).select_from(gap.join(found, true())).limit(bindparam("b_limit"))
