"""States: in which table a job is, and all that is known of it as one row.

`WHOLE` joins `job` with the table of each state: five seeks for a job, and those whose columns
nobody asks for are left out by the planners. Whoever knows the state asks its table
instead, and never sees the others.
"""

from collections.abc import Mapping
from functools import reduce
from typing import Any, Final

from sqlalchemy import (
    FromClause,
    Table,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.sql.elements import BindParameter, ColumnElement
from sqlalchemy.types import NullType

from lightwork.model import FINAL_STATES, State
from lightwork.store.tables.jobs import (
    MOVING,
    STATE_TABLES,
    TABLE_OF,
    attempt,
    job,
    outcome,
    ready,
    running,
)
from lightwork.store.tables.types import StateText

# The keys of many jobs, and a number that needs no parameter.
AMONG: Final[BindParameter[Any]] = bindparam("b_seqs", expanding=True)
ZERO: Final[ColumnElement[int]] = literal_column("0")
FINALS: Final = tuple(sorted(FINAL_STATES))


def raw(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a column as the driver gives it: damage must not stop its row from being dealt with."""
    return type_coerce(column, NullType).label(column.name)


def word(state: State) -> ColumnElement[str]:
    """Return a state as it stands in a statement."""
    return literal_column(f"'{state}'")


def jobs_in(*states: State) -> Any:
    """Select the keys of all jobs in one of these states, from the tables of these."""
    finals = sorted(FINAL_STATES.intersection(states))
    found = [select(table.c.seq) for table in {TABLE_OF[s]: 0 for s in states if not s.is_final}]
    if finals:
        found.append(select(outcome.c.seq).where(outcome.c.state.in_(finals)))
    return found[0] if len(found) == 1 else union_all(*found)


WHOLE: Final[FromClause] = reduce(
    lambda joined, table: joined.outerjoin(table, table.c.seq == job.c.seq), STATE_TABLES, job
)
# NULL where it is in no table: the first that has it counts.
STATE: Final[ColumnElement[Any]] = func.coalesce(
    outcome.c.state,
    case(
        *(
            (table.c.seq.is_not(None), word(state))
            for state, table in TABLE_OF.items()
            if table is not outcome
        )
    ),
    type_=StateText(),
).label("state")


def _moving(name: str) -> ColumnElement[Any]:
    columns = [table.c[name] for table in STATE_TABLES]
    nothing = {"progress_done": [ZERO], "progress_total": [ZERO]}
    nothing["progress_note"] = [literal_column("''")]
    found = func.coalesce(*columns, *nothing.get(name, []), type_=columns[0].type)
    return found.label(name)


# What a job is known by: each column of `job`, and what goes along from table to table.
COLUMNS: Final[Mapping[str, ColumnElement[Any]]] = {
    **{column.name: column for column in job.c},
    "state": STATE,
    **{name: _moving(name) for name in MOVING},
    "worker": running.c.worker,
    "begun": func.coalesce(running.c.begun, ZERO, type_=running.c.begun.type).label("begun"),
    **{
        name: outcome.c[name]
        for name in ("finished_at", "result", "error_type", "error_text", "traceback")
    },
}

# What no store should have: a job in no table, or in two, the second of which is wrong; a row
# of no job, or under a lane that is not the job's.
IS_NOWHERE: Final = and_(*(~exists().where(table.c.seq == job.c.seq) for table in STATE_TABLES))
HAS_TWO_STATES: Final[Mapping[Table, ColumnElement[bool]]] = {
    table: or_(*(exists().where(other.c.seq == table.c.seq) for other in STATE_TABLES[:place]))
    for place, table in enumerate(STATE_TABLES)
    if place
}
_IS_LANE: Final = and_(
    job.c.queue == ready.c.queue, job.c.task == ready.c.task, job.c.priority == -ready.c.rank
)
HAS_NO_JOB: Final[Mapping[Table, ColumnElement[bool]]] = {
    table: ~exists().where(job.c.seq == table.c.seq, *([_IS_LANE] if table is ready else []))
    for table in (*STATE_TABLES, attempt)
}
