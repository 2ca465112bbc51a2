"""Dependencies: what waits for other jobs, and what the end of a job means to it.

    submit          a row of `dependency` for each parent; the child is blocked as long as
                    `pending` of them are unfinished
    end of a job    tells its children: one fewer to wait for; or, where they need its
                    success, they end as well, and tell theirs

A submit locks the parents, so that none of them ends between its look and its commit: who ends
them sees the row afterwards. Whoever tells a child has locked it, so that two ends are counted
one after the other.

Bounded: one transaction tells MOST children, however they hang together. What is left it notes in
`ended_parent`, and upkeep goes on there; ten thousand children, or a chain of as many, hold
nobody up. Nothing here calls itself.
"""

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from lightwork.error_info import DEPENDENCY_FAILED, root_cause
from lightwork.errors import UsageError
from lightwork.model import ErrorInfo, NewJob, Policy, State
from lightwork.store.operations import counters, ties
from lightwork.store.operations.locking import by_id, locked
from lightwork.store.sql import dependencies as sql
from lightwork.store.sql.in_lists import padded_chunks
from lightwork.store.sql.jobs import CANCEL, SEQS
from lightwork.store.sql.rows import AnyRow, error_values, milliseconds, milliseconds_of, text_of
from lightwork.store.sql.spelling import Spelling
from lightwork.store.tables.limits import QUEUE_KEY
from lightwork.store.views import Relatives, RelativeView
from lightwork.tasks.names import short_name

# Children that one transaction tells.
MOST: Final = 500
# What it costs to tell few, in children: eight statements (SQLite: 0.9 ms; for 500 of them 12).
_ROUND: Final = 10
_GONE: Final = ErrorInfo(
    type=DEPENDENCY_FAILED, text="a job that this one needs is not there any more: it was pruned"
)


class _Parent(NamedTuple):
    seq: int
    state: State


class Needed(NamedTuple):
    """A parent of a job that has ended; of a damaged one the state is None."""

    seq: int
    id: uuid.UUID
    state: State | None
    needs_success: bool

    @property
    def is_final(self) -> bool:
        """Whether it has ended."""
        return self.state is not None and self.state.is_final

    @property
    def has_failed_it(self) -> bool:
        """Whether it has ended so that the job cannot run."""
        return self.needs_success and self.is_final and self.state is not State.SUCCEEDED


Family = defaultdict[int, list[Needed]]


def check_parents(connection: Connection, jobs: Sequence[NewJob]) -> None:
    """Refuse jobs that wait for what is neither kept nor submitted before them.

    Raises:
        UsageError: With the first of them.
    """
    before: set[uuid.UUID] = set()
    asked: dict[uuid.UUID, uuid.UUID] = {}
    for new in jobs:
        asked.update((parent, new.id) for parent in new.after if parent not in before)
        before.add(new.id)
    known = {row.id for row in by_id(connection, SEQS, asked)}
    for parent, child in asked.items():
        if parent not in known:
            raise UsageError(
                f"job {child} is to run after job {parent}, which is not in this store: it was "
                "never submitted here, was pruned, or its transaction is not committed yet; nothing "
                "was submitted"
            )


def block(
    connection: Connection,
    spelling: Spelling,
    waiting: Sequence[NewJob],
    inserted: AbstractSet[bytes],
) -> set[bytes]:
    """Note what new jobs wait for; return the ids of those that wait nowhere else.

    Args:
        connection: In the transaction that has inserted them.
        spelling: How this database says it.
        waiting: Those that wait for others.
        inserted: The ids of all new jobs, which are in no state yet.
    """
    seqs, parents = _family(connection, waiting, inserted)
    depend: list[dict[str, int]] = []
    blocked: dict[bytes, dict[str, Any]] = {}
    doomed: dict[int, int] = {}
    for new in waiting:
        seq = seqs[new.id]
        known = [parents[one] for one in dict.fromkeys(new.after) if one in parents]
        depend += [_edge(parent, seq, new) for parent in known]
        pending = sum(not parent.state.is_final for parent in known)
        if new.needs_success and (cause := _failed(known, new)) is not None:
            doomed[seq] = cause
        if pending or seq in doomed:
            blocked[new.id.bytes] = {"b_seq": seq, "b_pending": pending} | _due(new.policy)
    if depend:
        spelling.execute_many(connection, sql.DEPEND, depend)
    if blocked:
        spelling.execute_many(connection, sql.BLOCK, list(blocked.values()))
    _end_doomed(connection, spelling, doomed)
    return set(blocked)


def _family(
    connection: Connection, waiting: Sequence[NewJob], inserted: AbstractSet[bytes]
) -> tuple[dict[uuid.UUID, int], dict[uuid.UUID, _Parent]]:
    """Return the seqs of new jobs, and the parents that there are, which stay as they are."""
    asked = dict.fromkeys(one for new in waiting for one in new.after)
    new_parents = [one for one in asked if one.bytes in inserted]
    ours = (*(new.id for new in waiting), *new_parents)
    seqs = {row.id: row.seq for row in by_id(connection, SEQS, ours)}
    parents = {one: _Parent(seqs[one], State.READY) for one in new_parents}
    others = _locked_parents(connection, (one for one in asked if one not in parents))
    return seqs, {**others, **parents}


def _due(policy: Policy) -> dict[str, int | None]:
    delay = milliseconds(policy.delay) if policy.delay else None
    return {"b_delay": delay, "b_due_at": milliseconds_of(policy.at) if policy.at else None}


def _failed(known: Sequence[_Parent], new: NewJob) -> int | None:
    """Return the seq of a parent that has ended without success, 0 for one that is gone."""
    failed = (one.seq for one in known if one.state.is_final and one.state != State.SUCCEEDED)
    return next(failed, None if len(known) == len(set(new.after)) else 0)


def tell_children(
    connection: Connection,
    spelling: Spelling,
    ended: Iterable[int],
    queues: Iterable[str] = (),
) -> bool:
    """Tell those that wait for these jobs, which this transaction has ended, what has come of them.

    Returns:
        Whether any job may be ready for it: one that was told, or one of these queues that waits for room.
    """
    seqs = list(ended)
    heard = spelling.heard_by(connection, seqs, [QUEUE_KEY + text_of(queue) for queue in queues])
    if heard.children:
        _tell_all(connection, spelling, seqs, MOST)
    return heard.children or heard.queues


def is_one_left(connection: Connection) -> bool:
    """Return whether `tell_left` would find anything."""
    return connection.execute(sql.IS_ONE_LEFT).first() is not None


def tell_left(connection: Connection, spelling: Spelling, limit: int) -> int:
    """Tell children that were too many for the transaction in which their parent ended.

    Returns:
        How many children were told, and how many parents need nobody any more.
    """
    left = {row.seq: row.told for row in connection.execute(sql.LEFT, {"b_limit": limit})}
    if not left:
        return 0
    # Nobody makes them run again meanwhile, which would have to wait for their end anew.
    for chunk in padded_chunks(left):
        connection.execute(sql.LOCK_ENDED, {"b_seqs": chunk})
    spelling.execute_many(connection, sql.TAKE_LEFT, [{"b_seq": seq} for seq in left])
    ended = [seq for seq, told in left.items() if not told]
    room = limit
    for seq in left.keys() - set(ended):
        rows = _to_be_told(connection, [seq], left[seq], room) if room else []
        if len(rows) == room:
            _leave(connection, spelling, {seq: rows[-1].child if rows else left[seq]})
        room -= len(rows)
        ended += _tell(connection, spelling, rows)
    return len(left) + limit - room + _tell_all(connection, spelling, ended, room)


def relatives(connection: Connection, job_id: uuid.UUID, most: int) -> Relatives:
    """Return the parents and children of a job, so many of each at most."""

    def of(kind: str) -> tuple[int, tuple[RelativeView, ...]]:
        seqs = list(connection.scalars(sql.RELATIVES[kind], {"b_id": job_id}))
        rows = [
            row
            for chunk in padded_chunks(seqs[:most])
            for row in connection.execute(sql.RELATIVE, {"b_seqs": chunk})
            if row.state is not None
        ]
        return len(seqs), tuple(
            RelativeView(id=row.id, task=text_of(row.task), state=row.state) for row in rows
        )

    (parent_count, parents), (child_count, children) = of("parent"), of("child")
    return Relatives(
        parents=parents, children=children, parent_count=parent_count, child_count=child_count
    )


def needed(connection: Connection, seqs: Iterable[int]) -> set[int]:
    """Return those whose results an unfinished job may still ask for."""
    return {
        seq
        for chunk in padded_chunks(seqs)
        for seq in connection.scalars(sql.NEEDED, {"b_seqs": chunk})
    }


def forget(connection: Connection, seqs: Iterable[int]) -> None:
    """Delete what is known of the parents and children of jobs that are pruned."""
    for chunk in padded_chunks(seqs):
        for statement in sql.FORGET:
            connection.execute(statement, {"b_seqs": chunk})


def family_of(connection: Connection, seqs: Iterable[int]) -> Family:
    """Return the parents of jobs that have ended, by the jobs' seqs, locked as they are."""
    edges = [
        edge
        for chunk in padded_chunks(sorted(seqs))
        for edge in connection.execute(sql.PARENTS, {"b_seqs": chunk})
    ]
    states = _locked_parents(connection, (edge.id for edge in edges))
    found: Family = defaultdict(list)
    for edge in edges:
        state = states[edge.id].state if edge.id in states else None
        found[edge.child].append(Needed(edge.parent, edge.id, state, bool(edge.needs_success)))
    return found


def reopen(connection: Connection, spelling: Spelling, again: Mapping[int, Iterable[int]]) -> None:
    """Note which parents, by the seqs of their children, these wait for again."""
    edges = [
        {"b_parent": parent, "b_child": child}
        for child, parents in again.items()
        for parent in parents
    ]
    if edges:
        spelling.change_each(connection, sql.REOPEN, edges)


def heal(connection: Connection, spelling: Spelling) -> None:
    """Put right what no program of ours leaves behind: jobs that wait for what has ended, or is gone."""
    connection.execute(sql.DELETE_STRAYS)
    left = dict.fromkeys(connection.scalars(sql.UNTOLD).all(), 0)
    if left:
        _leave(connection, spelling, left)
    lonely = _locked_children(connection, connection.scalars(sql.WITHOUT_PARENT).all())
    _fail(connection, spelling, [(child, 0) for child in lonely.values()])
    tell_children(connection, spelling, lonely)
    connection.execute(sql.RECOUNT)
    free = _locked_children(connection, connection.scalars(sql.FREE).all())
    unblock(connection, spelling, free.values())


def _locked_parents(
    connection: Connection, job_ids: Iterable[uuid.UUID]
) -> dict[uuid.UUID, _Parent]:
    rows = locked(connection, dict.fromkeys(job_ids), sql.LOCK_SHARED)
    # A damaged one is in no state, and never ends.
    return {row.id: _Parent(row.seq, row.state) for row in rows if row.state is not None}


def _edge(parent: _Parent, child: int, new: NewJob) -> dict[str, int]:
    return {
        "b_parent": parent.seq,
        "b_child": child,
        "b_needs_success": int(new.needs_success),
        "b_is_over": int(parent.state.is_final),
    }


def _to_be_told(
    connection: Connection, parents: Sequence[int], told: int, limit: int
) -> list[AnyRow]:
    values = {"b_seqs": parents, "b_told": told, "b_limit": limit}
    return list(connection.execute(sql.TO_BE_TOLD, values))


def _not_told(parents: Iterable[int], last: AnyRow) -> dict[int, int]:
    """Return the parents whose children were not told, the last row being that of the last child."""
    return {last.parent: last.child} | {seq: 0 for seq in parents if seq > last.parent}


def _leave(connection: Connection, spelling: Spelling, told: Mapping[int, int]) -> None:
    rows = [{"b_seq": seq, "b_told": child} for seq, child in sorted(told.items())]
    spelling.execute_many(connection, sql.TAKE_LEFT, rows)
    spelling.execute_many(connection, sql.LEAVE, rows)


def _tell_all(connection: Connection, spelling: Spelling, ended: Iterable[int], most: int) -> int:
    """Tell the children of these, and of those that end by it; return how many were told."""
    rest, left = sorted(ended), most
    while rest:
        asked, rest = rest, []
        for chunk in padded_chunks(asked):
            if left <= 0:
                _leave(connection, spelling, dict.fromkeys(chunk, 0))
                continue
            rows = _to_be_told(connection, chunk, 0, left)
            if len(rows) == left:
                _leave(connection, spelling, _not_told(chunk, rows[-1]))
            left -= max(len(rows), _ROUND) if rows else 0
            rest += _tell(connection, spelling, rows)
        rest.sort()
    return most - left


def _tell(connection: Connection, spelling: Spelling, rows: Sequence[AnyRow]) -> list[int]:
    """Tell children that their parents have ended; return those that have ended by it."""
    if not rows:
        return []
    children = _locked_children(connection, {row.child for row in rows})
    edges = [{"b_parent": row.parent, "b_child": row.child} for row in rows]
    spelling.change_each(connection, sql.TELL, edges)
    waiting = [row for row in rows if row.child in children]
    fewer = Counter(row.child for row in waiting)
    doomed: dict[int, AnyRow] = {}
    for row in waiting:
        if row.needs_success and row.state != State.SUCCEEDED:
            doomed.setdefault(row.child, row)
    _count_down(connection, spelling, [(children[seq], less) for seq, less in fewer.items()])
    unblock(
        connection,
        spelling,
        [row for seq, row in children.items() if seq not in doomed and row.pending <= fewer[seq]],
    )
    failed = [seq for seq, row in doomed.items() if row.state == State.FAILED]
    _fail(connection, spelling, [(children[seq], doomed[seq].parent) for seq in failed])
    _cancel(connection, spelling, [children[seq] for seq in doomed.keys() - set(failed)])
    return sorted(doomed)


def unblock(connection: Connection, spelling: Spelling, rows: Iterable[AnyRow]) -> None:
    """Let blocked jobs run, given as locked rows with seq, attempt and due_at."""
    ready: list[dict[str, Any]] = []
    delayed: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda row: int(row.seq)):
        (ready if row.due_at is None else delayed).append(_key(row))
    if ready:
        spelling.change_each(connection, sql.UNBLOCK, ready)
    if delayed:
        spelling.change_each(connection, sql.DELAY, delayed)


def _locked_children(connection: Connection, seqs: Iterable[int]) -> dict[int, AnyRow]:
    """Return those that are blocked; the others have ended another way."""
    return {
        row.seq: row
        for chunk in padded_chunks(sorted(seqs))
        for row in connection.execute(sql.LOCK_BLOCKED, {"b_seqs": chunk})
    }


def _count_down(
    connection: Connection, spelling: Spelling, fewer: Iterable[tuple[AnyRow, int]]
) -> None:
    pairs = sorted(fewer, key=lambda pair: int(pair[0].seq))
    rows = [_key(row) | {"b_less": less} for row, less in pairs]
    if rows:
        spelling.change_each(connection, sql.COUNT_DOWN, rows)


def _end_doomed(connection: Connection, spelling: Spelling, doomed: Mapping[int, int]) -> None:
    """End new jobs whose parents, here by child, have failed or were cancelled before."""
    if not doomed:
        return
    children = _locked_children(connection, doomed)
    parents = _ends(connection, doomed.values())
    cancelled = {
        child
        for child, parent in doomed.items()
        if parent in parents and parents[parent].state == State.CANCELLED
    }
    failed = doomed.keys() - cancelled
    _fail(connection, spelling, [(children[seq], doomed[seq]) for seq in failed])
    _cancel(connection, spelling, [children[seq] for seq in cancelled])
    # Those of the same submit.
    _tell_all(connection, spelling, doomed, MOST)


def _fail(connection: Connection, spelling: Spelling, failed: Iterable[tuple[AnyRow, int]]) -> None:
    """Fail locked jobs that need one that has failed, given with them; 0: one that is gone."""
    pairs = sorted(failed, key=lambda pair: int(pair[0].seq))
    if not pairs:
        return
    parents = _ends(connection, (parent for _child, parent in pairs))
    errors = {seq: error_values(_error_of(row)) for seq, row in parents.items()}
    rows = [_key(child) | errors.get(parent, error_values(_GONE)) for child, parent in pairs]
    spelling.change_each(connection, sql.FAIL, rows)
    _count(connection, spelling, [child.seq for child, _parent in pairs], State.FAILED)


def _cancel(connection: Connection, spelling: Spelling, rows: Iterable[AnyRow]) -> None:
    no_reason = {"b_error_type": None, "b_error_text": None}
    keys = [_key(row) | no_reason for row in sorted(rows, key=lambda row: int(row.seq))]
    if keys:
        spelling.change_each(connection, CANCEL[State.BLOCKED], keys)
        _count(connection, spelling, [key["b_seq"] for key in keys], State.CANCELLED)


def _key(row: AnyRow) -> dict[str, Any]:
    return {"b_seq": row.seq, "b_number": row.attempt}


def _count(connection: Connection, spelling: Spelling, seqs: Sequence[int], state: State) -> None:
    ties.end_waiting(connection, seqs)
    rows = (
        row
        for chunk in padded_chunks(seqs)
        for row in connection.execute(sql.QUEUES, {"b_seqs": chunk})
    )
    counters.add(connection, spelling, [(row.queue, state) for row in rows])


def _ends(connection: Connection, seqs: Iterable[int]) -> dict[int, AnyRow]:
    return {
        row.seq: row
        for chunk in padded_chunks(sorted(set(seqs)))
        for row in connection.execute(sql.ENDS, {"b_seqs": chunk})
    }


def _error_of(row: AnyRow) -> ErrorInfo:
    error = ErrorInfo(type=text_of(row.error_type or ""), text=text_of(row.error_text or ""))
    return root_cause(row.id, short_name(text_of(row.task)), error)
