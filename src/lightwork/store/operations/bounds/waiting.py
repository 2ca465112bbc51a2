"""Waiting: the jobs that wait for room under a limit, and which of them are let go; see limits.py.

Which tasks a worker knows is not known here, so what is let go is counted lane by lane: of each lane of a key
as many jobs are ready as the key has room for. Whoever comes takes the room, and lanes that nobody claims
from (no worker knows the task, or those who do are busy) take nothing away from others.

    key "api", room for 2     mail:send   ready 2 (nobody knows it)   waiting 900   nothing is let go
                              web:page    ready 0                     waiting   7   2 are let go

Lanes are told by a hash, of which a short index is made. Those of queues that are paused are passed over: a
chore lets their jobs go when the queue is resumed. Rows that an older program has written tell no lane;
to end that is a chore's as well, and until then they are one lane.
"""

import hashlib
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Connection,
    Select,
    String,
    bindparam,
    exists,
    func,
    or_,
    select,
    union_all,
    update,
)

from lightwork.lifecycle import Unblocked
from lightwork.model import State
from lightwork.store.sql.in_lists import padded_chunks
from lightwork.store.sql.moves import move
from lightwork.store.sql.rows import AnyRow, text_of
from lightwork.store.sql.spelling import Spelling
from lightwork.store.sql.states import AMONG
from lightwork.store.tables.clock_sql import NOW
from lightwork.store.tables.jobs import blocked, job
from lightwork.store.tables.limits import (
    FREE,
    HELD,
    IN_QUEUE,
    NO_LANE,
    WAITS,
    limit_slot,
    limit_use,
)
from lightwork.store.tables.queues import queue

# Of one lane of a key, so many are ready beside each other; the others wait.
READY_MOST: Final = 64
# Jobs of a key that a claim moves out of the way at a time, and that are let go at a time.
MOVED_MOST: Final = 500
# Lanes from which jobs are let go at a time: the arms of a statement, a power of two.
_LANES_MOST: Final = 64
# Keys that are looked at at a time; of more, chance chooses.
_KEYS_MOST: Final = 1000

KEYS: Final = bindparam("b_keys", expanding=True, type_=String)
LANES: Final = bindparam("b_lanes", expanding=True, type_=BigInteger)
SET_STAGE: Final = (
    update(limit_use)
    .where(
        limit_use.c.seq == bindparam("b_seq"),
        limit_use.c.stage != HELD,
        limit_use.c.stage != IN_QUEUE,
    )
    .values(stage=bindparam("b_stage"))
)
IS_ANY_WAITING: Final = select(exists().where(limit_use.c.stage == WAITS))
# In an order that an index has. EXISTS, or one of them in any order, MariaDB or PostgreSQL finds by walking
# over all that waits.
_ONE_THAT_WAITS: Final = (
    select(limit_use.c.seq)
    .where(limit_use.c.stage == WAITS, limit_use.c.key == limit_slot.c.key)
    .order_by(limit_use.c.rank, limit_use.c.seq)
    .limit(1)
    .correlate(limit_slot)
    .scalar_subquery()
)
# Of keys that have a slot: no time brings one.
_WAITED_FOR: Final = select(limit_slot, NOW.label("now")).where(
    _ONE_THAT_WAITS.is_not(None),
    or_(limit_slot.c.cap == 0, limit_slot.c.used < limit_slot.c.cap),
)
# Their slots are opened by ends, which bring no tokens.
_FULL_WITH_RATE: Final = select(limit_slot, NOW.label("now")).where(
    _ONE_THAT_WAITS.is_not(None),
    limit_slot.c.cap > 0,
    limit_slot.c.used >= limit_slot.c.cap,
    limit_slot.c.rate > 0,
)
_WAITED_FOR_OF: Final = _WAITED_FOR.where(limit_slot.c.key.in_(KEYS))
# Not joined with `ready`: planners would rather walk both than seek. What is left of others is for slots.py.
_READY_NOW: Final = (
    select(limit_use.c.key, limit_use.c.lane, func.count().label("jobs"))
    .where(limit_use.c.stage == FREE, limit_use.c.key.in_(KEYS), limit_use.c.lane.in_(LANES))
    .group_by(limit_use.c.key, limit_use.c.lane)
)
_LOCK_BLOCKED: Final = (
    select(blocked.c.seq, blocked.c.attempt)
    .where(blocked.c.seq.in_(AMONG), blocked.c.pending <= 0)
    .order_by(blocked.c.seq)
    .with_for_update(skip_locked=True)
)
_UNBLOCK: Final = move(State.BLOCKED, Unblocked)
_OF_NO_LANE: Final = (
    select(limit_use.c.key, limit_use.c.seq, job.c.queue, job.c.task)
    .join(job, job.c.seq == limit_use.c.seq)
    .where(limit_use.c.stage == WAITS, limit_use.c.key.in_(KEYS), limit_use.c.lane == NO_LANE)
    .limit(bindparam("b_limit"))
)
_SET_LANE: Final = (
    update(limit_use)
    .where(
        limit_use.c.key == bindparam("b_key", type_=String),
        limit_use.c.seq == bindparam("b_seq"),
        limit_use.c.lane == NO_LANE,
    )
    .values(lane=bindparam("b_lane", type_=BigInteger))
)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A lane of a key for which jobs wait, while the key has a slot, a token or both.

    Attributes:
        wanted: How many more of it may be ready.
        due_in: Seconds until there is a token for one more, if none may now; None: no time brings that.
    """

    key: str
    lane: int
    wanted: int
    due_in: float | None


@lru_cache(maxsize=4096)
def lane_number(queue_: str, task: str) -> int:
    """Return what `limit_use.lane` holds for jobs of a queue and a task: 1 to 2**63 - 1."""
    text = f"{queue_}\0{task}".encode("utf-8", "surrogatepass")
    number = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) >> 1
    return max(number, NO_LANE + 1)


def lane_of(row: AnyRow) -> int:
    """Return the same for a row with queue and task, which a damaged store may hold as anything."""
    return lane_number(text_of(row.queue), text_of(row.task))


def tokens_of(row: AnyRow) -> float:
    """Return how many tokens the bucket of a row of `limit_slot` holds now."""
    gained = max(row.now - row.filled_at, 0) / 1000 * row.rate
    return float(min(row.burst, row.tokens + gained))


def is_any_waiting(connection: Connection) -> bool:
    """Return whether any job waits for room."""
    return bool(connection.scalar(IS_ANY_WAITING))


def next_room_in(
    connection: Connection, spelling: Spelling, *, is_later: bool = False
) -> float | None:
    """Return seconds until a job can be let go; None: no time brings it. Nothing is written.

    `is_later`: one that cannot be let go now.
    """
    lanes = _lanes(connection, spelling, connection.execute(_WAITED_FOR).all())
    is_one_untold = any(one.lane == NO_LANE for one in lanes)
    if not is_later and (is_one_untold or _next(connection, lanes, 1)):
        return 0.0
    if full := connection.execute(_FULL_WITH_RATE).all():
        lanes += _lanes(connection, spelling, full)
    times = (one.due_in for one in lanes if one.wanted < 1 and one.due_in is not None)
    return min(times, default=None)


def open_up(connection: Connection, spelling: Spelling, limit: int) -> int:
    """Let jobs go that wait for keys with room, whyever they still wait; return how many.

    What an older program has not told the lanes of counts as well, once for its lane.
    """
    slots = connection.execute(_WAITED_FOR).all()
    told = _tell_lanes(connection, spelling, [row.key for row in slots])
    return told + _let_go(connection, spelling, _lanes(connection, spelling, slots), limit)


def let_go(connection: Connection, spelling: Spelling, keys: Iterable[str]) -> None:
    """Let as many jobs of each lane go as its key has room for."""
    slots = [
        row
        for chunk in padded_chunks(keys)
        for row in connection.execute(_WAITED_FOR_OF, {"b_keys": chunk})
    ]
    if slots:
        _let_go(connection, spelling, _lanes(connection, spelling, slots), MOVED_MOST)


def _let_go(
    connection: Connection, spelling: Spelling, lanes: Sequence[_Waiting], limit: int
) -> int:
    seqs = _next(connection, lanes, limit)
    keys = [
        {"b_seq": row.seq, "b_number": row.attempt}
        for chunk in padded_chunks(sorted(seqs))
        for row in connection.execute(_LOCK_BLOCKED, {"b_seqs": chunk})
    ]
    if keys:
        spelling.change_each(connection, _UNBLOCK, keys)
        changes = [{"b_seq": one["b_seq"], "b_stage": FREE} for one in keys]
        spelling.execute_many(connection, SET_STAGE, changes)
    return len(keys)


def _lanes(connection: Connection, spelling: Spelling, slots: Sequence[AnyRow]) -> list[_Waiting]:
    """Return the lanes in which jobs wait for these keys, which are rows of `limit_slot`."""
    if len(slots) > _KEYS_MOST:
        slots = random.sample(slots, _KEYS_MOST)
    rows = {row.key: row for row in slots}
    found = spelling.waiting_lanes(connection, sorted(rows))
    ready_now = count_ready(connection, {key for key, _ in found}, {lane for _, lane in found})
    return [_waiting(rows[key], lane, ready_now.get((key, lane), 0)) for key, lane in found]


def count_ready(
    connection: Connection, keys: Iterable[str], lanes: Iterable[int]
) -> dict[tuple[str, int], int]:
    """Return how many jobs are ready that are known to need these keys, for each lane that has any."""
    of_lanes = list(padded_chunks(sorted(lanes)))
    return {
        (row.key, row.lane): row.jobs
        for some in padded_chunks(sorted(keys))
        for others in of_lanes
        for row in connection.execute(_READY_NOW, {"b_keys": some, "b_lanes": others})
    }


def _waiting(slot: AnyRow, lane: int, ready_now: int) -> _Waiting:
    most = min(slot.cap - slot.used, READY_MOST) if slot.cap else READY_MOST
    if not slot.rate:
        return _Waiting(slot.key, lane, most - ready_now, None)
    tokens = tokens_of(slot)
    wanted = min(most, math.floor(tokens)) - ready_now
    missing = max(ready_now + 1 - tokens, 0.0)
    # More than the bucket holds never come. Where only a slot is missing, whoever ends opens it. But an end brings
    # no token: where that is missing as well, it is looked when it comes, for all may have ended before.
    comes = ready_now < math.floor(slot.burst) and (missing or ready_now < most)
    return _Waiting(slot.key, lane, wanted, missing / slot.rate if comes else None)


def _next(connection: Connection, lanes: Iterable[_Waiting], limit: int) -> list[int]:
    """Return the seqs of the jobs that go next, without those whose queue is paused."""
    wanted = [one for one in lanes if one.wanted > 0]
    if not wanted or limit < 1:
        return []
    if len(wanted) > _LANES_MOST:
        # By lot, so that none is always the one that is left.
        wanted = random.sample(wanted, _LANES_MOST)
    count = 1 << (len(wanted) - 1).bit_length()
    values: dict[str, Any] = {"b_limit": limit}
    for number in range(count):
        one = wanted[min(number, len(wanted) - 1)]
        values |= {f"b_key{number}": one.key, f"b_lane{number}": one.lane}
        values[f"b_wanted{number}"] = one.wanted if number < len(wanted) else 0
    return list(dict.fromkeys(connection.scalars(next_of(count), values)))


@cache
def next_of(count: int) -> Select[Any]:
    """Select the jobs that come first in so many lanes of keys, each with a LIMIT of its own."""
    firsts = [
        select(limit_use.c.rank, limit_use.c.seq)
        .where(
            limit_use.c.stage == WAITS,
            limit_use.c.key == bindparam(f"b_key{number}", type_=String),
            limit_use.c.lane == bindparam(f"b_lane{number}", type_=BigInteger),
        )
        .order_by(limit_use.c.rank, limit_use.c.seq)
        .limit(bindparam(f"b_wanted{number}"))
        .subquery()
        for number in range(count)
    ]
    # SQLite takes no LIMIT in an arm.
    found = union_all(*(select(first) for first in firsts)).subquery()
    return (
        select(found.c.seq)
        .join(job, job.c.seq == found.c.seq)
        .where(~exists().where(queue.c.name == job.c.queue))
        .order_by(found.c.rank, found.c.seq)
        .limit(bindparam("b_limit"))
    )


def _tell_lanes(connection: Connection, spelling: Spelling, keys: Iterable[str]) -> int:
    """Tell the lanes of jobs that wait, where an older program has not; return how many."""
    rows = [
        row
        for chunk in padded_chunks(keys)
        for row in connection.execute(_OF_NO_LANE, {"b_keys": chunk, "b_limit": MOVED_MOST})
    ]
    ours = {
        row.seq
        for chunk in padded_chunks(sorted({row.seq for row in rows}))
        for row in connection.execute(_LOCK_BLOCKED, {"b_seqs": chunk})
    }
    changes = [
        {"b_key": row.key, "b_seq": row.seq, "b_lane": lane_of(row)}
        for row in rows
        if row.seq in ours
    ]
    if changes:
        spelling.execute_many(connection, _SET_LANE, changes)
    return len(changes)
