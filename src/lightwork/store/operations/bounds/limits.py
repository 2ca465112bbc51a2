"""Limits: how many jobs of a key run at once, and how many begin in a while.

A slot is taken in the transaction that claims the job, and given back in the one that ends the
attempt, whoever ends it. Between the look at a row of `limit_slot` and its change the row is locked, and the
change names what was seen: nothing is counted first and claimed then.

    ready ──claim: there is room──> running      its row of limit_use: HELD
      │  ^                            │
      │  └── as many as slots were ───┘ the end gives the slot back
      │      given back, or tokens came
      └─────claim: no room──> blocked            its row of limit_use: WAITS

Jobs of a key without room do not stay at the head of their lane, where every claim would read
them: the claim that finds one moves all that are known to be ready in its lane, and a submit puts more than
READY_MOST of a key and a lane at once where they wait. A chore looks for keys with room and jobs that wait: it
brings the tokens of rates, and finds what a kill or a cancel has left lying. Which of them go, and why
that is counted by lane, says waiting.py; what is counted anew, slots.py.

Locks: the state of a job, then slots in the order of their keys. Rows of limit_use belong to whoever
has locked the state of their job.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    String,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from lightwork.lifecycle import Throttled
from lightwork.model import State
from lightwork.store.operations.bounds.declared import Declared, read_limits
from lightwork.store.operations.bounds.waiting import (
    KEYS,
    LANES,
    MOVED_MOST,
    READY_MOST,
    SET_STAGE,
    count_ready,
    lane_number,
    lane_of,
    let_go,
    tokens_of,
)
from lightwork.store.sql.in_lists import padded_chunks
from lightwork.store.sql.moves import move
from lightwork.store.sql.rows import AnyRow, number_of
from lightwork.store.sql.spelling import Spelling
from lightwork.store.sql.states import AMONG
from lightwork.store.tables.clock_sql import NOW
from lightwork.store.tables.jobs import blocked, job, ready
from lightwork.store.tables.limits import FREE, HELD, WAITS, limit_slot, limit_use
from lightwork.store.tables.types import Id

_NEW: Final = job.c.id == bindparam("b_id", type_=Id)
_KEY: Final = limit_slot.c.key == bindparam("b_key", type_=String)

# Submit.

_KNOWN: Final = select(
    limit_slot.c.key, limit_slot.c.cap, limit_slot.c.rate, limit_slot.c.burst
).where(limit_slot.c.key.in_(KEYS))
_DECLARE: Final = (
    update(limit_slot)
    .where(_KEY)
    .values(cap=bindparam("b_cap"), rate=bindparam("b_rate"), burst=bindparam("b_burst"))
)
_USE_NEW: Final = insert(limit_use).from_select(
    ["key", "seq", "stage", "rank", "lane"],
    select(
        bindparam("b_key", type_=String),
        job.c.seq,
        bindparam("b_stage", type_=Integer),
        -job.c.priority,
        bindparam("b_lane", type_=BigInteger),
    ).where(_NEW),
)
_BLOCK_NEW: Final = insert(blocked).from_select(["seq"], select(job.c.seq).where(_NEW))

# Claim.

_LIMITS: Final = select(job.c.seq, job.c.limits, job.c.priority, job.c.queue, job.c.task).where(
    job.c.seq.in_(AMONG)
)
_SLOTS: Final = (
    select(limit_slot, NOW.label("now"))
    .where(limit_slot.c.key.in_(KEYS))
    .order_by(limit_slot.c.key)
    .with_for_update(of=limit_slot)
)
_TAKE: Final = (
    update(limit_slot)
    .where(_KEY, limit_slot.c.used == bindparam("b_seen"))
    .values(
        used=limit_slot.c.used + bindparam("b_more", type_=Integer),
        tokens=bindparam("b_tokens"),
        filled_at=bindparam("b_now", type_=BigInteger),
    )
)
# As a SELECT, of which PostgreSQL makes one for many rows.
_USE: Final = insert(limit_use).from_select(
    list(limit_use.c.keys()),
    select(*(bindparam(f"b_{column.name}", type_=column.type) for column in limit_use.c)),
)
_FORGET: Final = delete(limit_use).where(limit_use.c.seq.in_(AMONG))
_READY_OF: Final = (
    select(limit_use.c.seq)
    .where(limit_use.c.stage == FREE, limit_use.c.key.in_(KEYS), limit_use.c.lane.in_(LANES))
    .limit(MOVED_MOST)
)
_LOCK_READY: Final = (
    select(ready.c.seq, ready.c.attempt)
    .where(ready.c.seq.in_(AMONG))
    .order_by(ready.c.seq)
    .with_for_update(skip_locked=True)
)
_THROTTLE: Final = move(State.READY, Throttled)
# End.

_HELD_OF: Final = (
    select(limit_use.c.key, limit_use.c.seq)
    .where(limit_use.c.seq.in_(AMONG), limit_use.c.stage == HELD)
    .order_by(limit_use.c.key)
)
_GIVE_BACK: Final = (
    update(limit_slot)
    .where(_KEY, limit_slot.c.used >= bindparam("b_less"))
    .values(used=limit_slot.c.used - bindparam("b_less", type_=Integer))
)


@dataclass(slots=True)
class _Room:
    """What a locked slot has left."""

    key: str
    used: int
    cap: int
    tokens: float
    rate: float
    now: int
    taken: int = 0

    def has_one(self) -> bool:
        """Whether one more may run and begin."""
        is_open = not self.cap or self.used + self.taken < self.cap
        return is_open and (not self.rate or self.tokens - self.taken >= 1)


def place(
    connection: Connection, spelling: Spelling, rows: Sequence[Mapping[str, Any]]
) -> set[bytes]:
    """Note the limits of new jobs, given as parameters of their INSERT, that could begin at once.

    Returns the ids of those that are blocked now: enough of their key and lane are ready.
    """
    limits = {row["b_id"]: read_limits(row["b_limits"]) for row in rows}
    keys = sorted({limit.key for found in limits.values() for limit in found})
    _declare(connection, spelling, [limit for found in limits.values() for limit in found])
    lanes = {row["b_id"]: lane_number(row["b_queue"], row["b_task"]) for row in rows}
    ready_now = Counter(count_ready(connection, keys, set(lanes.values())))
    uses: list[dict[str, Any]] = []
    waits: set[bytes] = set()
    for job_id, found in limits.items():
        lane = lanes[job_id]
        full = [limit.key for limit in found if ready_now[limit.key, lane] >= READY_MOST]
        if full:
            waits.add(job_id)
        for key in full or [limit.key for limit in found]:
            stage = WAITS if full else FREE
            uses.append({"b_key": key, "b_id": job_id, "b_stage": stage, "b_lane": lane})
            ready_now[key, lane] += 1
    if waits:
        blocks = [{"b_id": job_id} for job_id in limits if job_id in waits]
        spelling.execute_many(connection, _BLOCK_NEW, blocks)
    spelling.execute_many(connection, _USE_NEW, uses)
    return waits


def admit(connection: Connection, spelling: Spelling, seqs: Sequence[int]) -> set[int]:
    """Take slots for ready jobs that this transaction has locked, first to last.

    Returns those that have all that they need. The others are blocked now, and so are more of their
    keys and lanes.
    """
    rows = {
        row.seq: row
        for chunk in padded_chunks(seqs)
        for row in connection.execute(_LIMITS, {"b_seqs": chunk})
    }
    wanted = {seq: read_limits(rows[seq].limits) for seq in seqs if seq in rows}
    rooms = _locked_rooms(connection, spelling, [one for found in wanted.values() for one in found])
    full: dict[int, list[str]] = {}
    for seq, found in wanted.items():
        closed = [limit.key for limit in found if not rooms[limit.key].has_one()]
        if closed:
            full[seq] = closed
            continue
        for limit in found:
            rooms[limit.key].taken += 1
    _note_taken(connection, spelling, rooms)
    held = [(seq, limit.key) for seq, found in wanted.items() if seq not in full for limit in found]
    uses = [(seq, key, HELD) for seq, key in held]
    uses += [(seq, key, WAITS) for seq, closed in full.items() for key in closed]
    _set_uses(connection, spelling, uses, rows)
    _block(connection, spelling, full)
    _block_ready(
        connection,
        spelling,
        keys={key for closed in full.values() for key in closed},
        lanes={lane_of(rows[seq]) for seq in full},
    )
    return set(wanted) - full.keys()


def give_back(connection: Connection, spelling: Spelling, seqs: Iterable[int]) -> None:
    """Give back the slots of attempts that have ended, and let jobs go that wait for them."""
    held = [
        (row.key, row.seq)
        for chunk in padded_chunks(sorted(seqs))
        for row in connection.execute(_HELD_OF, {"b_seqs": chunk})
    ]
    _forget(connection, (seq for _key, seq in held))
    for key, count in sorted(Counter(key for key, _seq in held).items()):
        # Whether it changed a row is not asked: where fewer slots are noted than were held (a damaged
        # store) no attempt may fail to end for that, and `recount` counts them anew.
        connection.execute(_GIVE_BACK, {"b_key": key, "b_less": count})
    let_go(connection, spelling, sorted({key for key, _seq in held}))


def forget(connection: Connection, seqs: Iterable[int]) -> None:
    """Forget what jobs waited for that have ended without a slot."""
    _forget(connection, seqs)


def _declare(connection: Connection, spelling: Spelling, limits: Iterable[Declared]) -> None:
    """Make rows of keys that have none, and let the last word on their numbers count."""
    said = {limit.key: limit for limit in limits}
    known = {
        row.key: (row.cap, row.rate, row.burst)
        for chunk in padded_chunks(sorted(said))
        for row in connection.execute(_KNOWN, {"b_keys": chunk})
    }
    _make(connection, spelling, [said[key] for key in sorted(said.keys() - known.keys())])
    for key in sorted(known.keys() & said.keys()):
        now = said[key]
        if known[key] != (now.cap, now.rate, now.burst):
            values = {"b_key": key, "b_cap": now.cap, "b_rate": now.rate, "b_burst": now.burst}
            connection.execute(_DECLARE, values)


def _make(connection: Connection, spelling: Spelling, limits: Sequence[Declared]) -> None:
    if limits:
        now = connection.scalar(select(NOW))
        rows = [
            {
                "b_key": limit.key,
                "b_cap": limit.cap,
                "b_used": 0,
                "b_rate": limit.rate,
                "b_burst": limit.burst,
                "b_tokens": limit.burst,
                "b_filled_at": now,
            }
            for limit in limits
        ]
        spelling.insert_missing(connection, limit_slot, rows)


def _locked_rooms(
    connection: Connection, spelling: Spelling, limits: Iterable[Declared]
) -> dict[str, _Room]:
    said = {limit.key: limit for limit in limits}
    rooms: dict[str, _Room] = {}
    for _ in range(2):
        for chunk in padded_chunks(sorted(said.keys() - rooms.keys())):
            for row in connection.execute(_SLOTS, {"b_keys": chunk}):
                rooms[row.key] = _Room(
                    key=row.key,
                    used=row.used,
                    cap=row.cap,
                    tokens=tokens_of(row),
                    rate=row.rate,
                    now=row.now,
                )
        # Those that have been forgotten since the submit.
        _make(connection, spelling, [said[key] for key in sorted(said.keys() - rooms.keys())])
    return rooms


def _note_taken(connection: Connection, spelling: Spelling, rooms: Mapping[str, _Room]) -> None:
    changes = [
        {
            "b_key": room.key,
            "b_seen": room.used,
            "b_more": room.taken,
            "b_tokens": room.tokens - room.taken if room.rate else 0.0,
            "b_now": room.now,
        }
        for room in rooms.values()
        if room.taken
    ]
    if changes:
        spelling.change_each(connection, _TAKE, changes)


def _set_uses(
    connection: Connection,
    spelling: Spelling,
    uses: Sequence[tuple[int, str, int]],
    rows: Mapping[int, AnyRow],
) -> None:
    _forget(connection, {seq for seq, _key, _stage in uses})
    values = [
        {
            "b_key": key,
            "b_seq": seq,
            "b_stage": stage,
            "b_rank": -number_of(rows[seq].priority),
            "b_lane": lane_of(rows[seq]),
        }
        for seq, key, stage in uses
    ]
    if values:
        spelling.execute_many(connection, _USE, values)


def _forget(connection: Connection, seqs: Iterable[int]) -> None:
    for chunk in padded_chunks(sorted(set(seqs))):
        connection.execute(_FORGET, {"b_seqs": chunk})


def _block(connection: Connection, spelling: Spelling, seqs: Iterable[int]) -> list[int]:
    """Block ready jobs, as far as nobody else has them."""
    keys = [
        {"b_seq": row.seq, "b_number": row.attempt}
        for chunk in padded_chunks(sorted(seqs))
        for row in connection.execute(_LOCK_READY, {"b_seqs": chunk})
    ]
    if keys:
        spelling.change_each(connection, _THROTTLE, keys)
    return [key["b_seq"] for key in keys]


def _block_ready(
    connection: Connection, spelling: Spelling, *, keys: Iterable[str], lanes: Iterable[int]
) -> None:
    """Take jobs of keys without room out of the way of others.

    Not those of lanes that this claim has not come across: they are in nobody's way, and if they are
    of a task that nobody knows, they would be let go and blocked again and again.
    """
    of_lanes = list(padded_chunks(sorted(lanes)))
    seqs = {
        seq
        for some in padded_chunks(sorted(keys))
        for others in of_lanes
        for seq in connection.scalars(_READY_OF, {"b_keys": some, "b_lanes": others})
    }
    blocked_now = _block(connection, spelling, seqs)
    if blocked_now:
        changes = [{"b_seq": seq, "b_stage": WAITS} for seq in blocked_now]
        spelling.execute_many(connection, SET_STAGE, changes)
