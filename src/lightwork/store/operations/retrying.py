"""Retrying: jobs that have failed or were cancelled run again, unless something stands in their way.

    a parent that has not succeeded     and is not retried with it: the job would only fail again
    another job holds its unique key    two of one key would run at once

Both are decided with all jobs of the retry before any of them moves. A key is taken by an INSERT, as by a
submit (bounds/unique.py): between the look at its holder and that another may be faster, and
then it is decided anew, for the children of one that is not retried are not either.
"""

import uuid
from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection

from lightwork.model import State
from lightwork.store.operations import counters, dependencies, ties
from lightwork.store.operations.bounds import unique
from lightwork.store.operations.bounds.unique import KeptKey
from lightwork.store.operations.dependencies import Family
from lightwork.store.operations.locking import locked
from lightwork.store.sql.dependencies import REBLOCK
from lightwork.store.sql.jobs import RESUBMIT, RETRIABLE
from lightwork.store.sql.rows import AnyRow
from lightwork.store.sql.spelling import Spelling
from lightwork.store.views import Hindrance

_ALL = frozenset(State)


class Plan(NamedTuple):
    """What a retry does.

    Attributes:
        again: By the seq of each job that is retried, the seqs of the parents that it waits for.
        hindered: Why others are not, by their seqs.
    """

    again: dict[int, list[int]]
    hindered: dict[int, Hindrance]


def retry(
    connection: Connection,
    spelling: Spelling,
    job_ids: Iterable[uuid.UUID],
    *,
    among: Container[State] = _ALL,
    hindered: dict[uuid.UUID, Hindrance] | None = None,
) -> dict[uuid.UUID, State]:
    """Make failed and cancelled jobs ready again, or blocked if they wait for others.

    Args:
        connection: In a transaction.
        spelling: Of its database.
        job_ids: Which.
        among: Those that are in no state of these stay as they are.
        hindered: Gets an entry for each that has ended and is not retried.

    Returns:
        The states after, of all that exist.
    """
    rows = locked(connection, job_ids)
    ended = {row.seq: row for row in rows if row.state in among and row.state in RETRIABLE}
    plan = _planned(connection, spelling, ended)
    dependencies.reopen(connection, spelling, plan.again)
    for state in RETRIABLE:
        _move(connection, spelling, state, ended, plan.again)
    if hindered is not None:
        # The transaction may run a second time.
        hindered.clear()
        hindered.update((ended[seq].id, why) for seq, why in plan.hindered.items())
    after = {row.id: row.state for row in rows}
    return after | {
        ended[seq].id: State.BLOCKED if parents else State.READY
        for seq, parents in plan.again.items()
    }


def _planned(connection: Connection, spelling: Spelling, ended: Mapping[int, AnyRow]) -> Plan:
    """Decide which jobs, all locked, are retried, and take their keys."""
    family = dependencies.family_of(connection, ended)
    kept = unique.kept_keys(connection, ended)
    for number in range(unique.ROUNDS):
        holders = unique.holders(connection, kept.values(), is_now=number > 1)
        plan = planned(ended, family, kept, holders)
        wanted = [kept[seq] for seq in plan.again if seq in kept]
        if all(holders.get(one.key) == one.job for one in wanted):
            given_up = [one for seq, one in kept.items() if seq not in plan.again]
            unique.give_up(connection, (one for one in given_up if holders.get(one.key) == one.job))
            return plan
        unique.take_kept(connection, spelling, wanted)
    raise unique.too_many_rivals(len(kept))


def planned(
    ended: Iterable[int],
    family: Family,
    kept: Mapping[int, KeptKey],
    holders: Mapping[bytes, uuid.UUID],
) -> Plan:
    """Decide which of these jobs may run again. Pure.

    Args:
        ended: All that are asked for.
        family: Their parents.
        kept: The unique keys of those that have one.
        holders: The job that holds a key, by the key, where one does.
    """
    held = dict(holders)
    plan = Plan({}, {})
    # Parents come before their children; of several of one key the first is retried.
    for seq in sorted(ended):
        parents = [one for one in family[seq] if one.seq in plan.again or one.state is not None]
        ended_parents = (one for one in parents if one.is_final and one.seq not in plan.again)
        needed = next((one for one in ended_parents if one.has_failed_it), None)
        if needed is not None:
            plan.hindered[seq] = Hindrance(kind="parent", job_id=needed.id)
            continue
        key = kept.get(seq)
        if key is not None and (holder := held.setdefault(key.key, key.job)) != key.job:
            plan.hindered[seq] = Hindrance(kind="unique", job_id=holder)
            continue
        plan.again[seq] = [one.seq for one in parents if one.seq in plan.again or not one.is_final]
    return plan


def _move(
    connection: Connection,
    spelling: Spelling,
    state: State,
    ended: Mapping[int, AnyRow],
    again: Mapping[int, list[int]],
) -> None:
    """Move those that have ended in this state to where they wait."""
    rows = [ended[seq] for seq in again if ended[seq].state == state]
    ready = [_key(row) for row in rows if not again[row.seq]]
    if ready:
        spelling.change_each(connection, RESUBMIT[state], ready)
    blocked = [_key(row) | {"b_pending": len(again[row.seq])} for row in rows if again[row.seq]]
    if blocked:
        spelling.change_each(connection, REBLOCK[state], blocked)
    counters.subtract(connection, spelling, [(row.queue, state) for row in rows])
    ties.never_expire(connection, [row.seq for row in rows])


def _key(row: AnyRow) -> dict[str, int]:
    return {"b_seq": row.seq, "b_number": row.attempt}
