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
them: the claim that finds one moves all that are known to be ready, and a submit puts more than READY_MOST
of a key at once where they wait. A chore looks for keys with room and jobs that wait: it brings the tokens
of rates, and finds what a kill or a cancel has left lying.

Locks: the state of a job, then slots in the order of their keys. Rows of limit_use belong to whoever
has locked the state of their job.
"""

import math
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
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from lightwork.lifecycle import Throttled
from lightwork.model import State
from lightwork.store.operations.bounds.declared import Declared, read_limits
from lightwork.store.operations.bounds.waiting import MOVED_MOST, SET_STAGE, USED_BY, let_go
from lightwork.store.sql.in_lists import padded_chunks
from lightwork.store.sql.moves import move
from lightwork.store.sql.rows import AnyRow, number_of
from lightwork.store.sql.spelling import Spelling
from lightwork.store.sql.states import AMONG
from lightwork.store.tables.clock_sql import NOW
from lightwork.store.tables.jobs import blocked, job, ready, running
from lightwork.store.tables.limits import FREE, HELD, WAITS, limit_slot, limit_use
from lightwork.store.tables.types import Id

# Of one key, so many are ready beside each other; the others wait.
READY_MOST: Final = 64
# Keys that a chore looks at.
_KEYS_MOST: Final = 100
_UNUSED_MS: Final = 86_400_000

_KEYS: Final = bindparam("b_keys", expanding=True, type_=String)
_NEW: Final = job.c.id == bindparam("b_id", type_=Id)
_KEY: Final = limit_slot.c.key == bindparam("b_key", type_=String)

# Submit.

_KNOWN: Final = select(
    limit_slot.c.key, limit_slot.c.cap, limit_slot.c.rate, limit_slot.c.burst
).where(limit_slot.c.key.in_(_KEYS))
_READY_NOW: Final = (
    select(limit_use.c.key, func.count())
    .where(limit_use.c.key.in_(_KEYS), limit_use.c.stage == FREE)
    .group_by(limit_use.c.key)
)
_DECLARE: Final = (
    update(limit_slot)
    .where(_KEY)
    .values(cap=bindparam("b_cap"), rate=bindparam("b_rate"), burst=bindparam("b_burst"))
)
_USE_NEW: Final = insert(limit_use).from_select(
    ["key", "seq", "stage", "rank"],
    select(
        bindparam("b_key", type_=String),
        job.c.seq,
        bindparam("b_stage", type_=Integer),
        -job.c.priority,
    ).where(_NEW),
)
_BLOCK_NEW: Final = insert(blocked).from_select(["seq"], select(job.c.seq).where(_NEW))

# Claim.

_LIMITS: Final = select(job.c.seq, job.c.limits, job.c.priority).where(job.c.seq.in_(AMONG))
_SLOTS: Final = (
    select(limit_slot, NOW.label("now"))
    .where(limit_slot.c.key.in_(_KEYS))
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
    select(limit_use.c.seq).where(USED_BY, limit_use.c.stage == FREE).limit(MOVED_MOST)
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
# Chores.

_IS_ANY_WAITING: Final = select(exists().where(limit_use.c.stage == WAITS))
_HAS_WAITING: Final = exists().where(
    limit_use.c.stage == WAITS, limit_use.c.key == limit_slot.c.key
)
_WAITED_FOR: Final = (
    select(limit_slot, NOW.label("now"))
    .where(_HAS_WAITING, or_(limit_slot.c.cap == 0, limit_slot.c.used < limit_slot.c.cap))
    .order_by(limit_slot.c.key)
)
_HELD_NOW: Final = (
    select(func.count())
    .select_from(limit_use)
    .join(running, running.c.seq == limit_use.c.seq)
    .where(limit_use.c.key == limit_slot.c.key, limit_use.c.stage == HELD)
    .scalar_subquery()
)
_DRIFTED: Final = select(limit_slot.c.key).where(limit_slot.c.used != _HELD_NOW)
_LOST: Final = select(limit_use.c.seq).where(
    USED_BY,
    limit_use.c.stage == HELD,
    ~exists().where(running.c.seq == limit_use.c.seq),
)
_COUNT_HELD: Final = select(func.count()).where(USED_BY, limit_use.c.stage == HELD)
_COUNT_READY: Final = select(func.count()).where(USED_BY, limit_use.c.stage == FREE)
_SET_USED: Final = update(limit_slot).where(_KEY).values(used=bindparam("b_used"))
_FORGET_LOST: Final = delete(limit_use).where(
    USED_BY, limit_use.c.stage == HELD, limit_use.c.seq.in_(AMONG)
)
_IS_UNUSED: Final = (
    limit_slot.c.used == 0,
    limit_slot.c.filled_at < NOW - _UNUSED_MS,
    ~exists().where(limit_use.c.key == limit_slot.c.key),
)
_UNUSED: Final = delete(limit_slot).where(*_IS_UNUSED)


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

    Returns the ids of those that are blocked now: enough of their key are ready.
    """
    limits = {row["b_id"]: read_limits(row["b_limits"]) for row in rows}
    keys = sorted({limit.key for found in limits.values() for limit in found})
    _declare(connection, spelling, [limit for found in limits.values() for limit in found])
    ready_now: Counter[str] = Counter()
    for chunk in padded_chunks(keys):
        for key, count in connection.execute(_READY_NOW, {"b_keys": chunk}):
            ready_now[key] = count
    uses: list[dict[str, Any]] = []
    waits: set[bytes] = set()
    for job_id, found in limits.items():
        full = [limit.key for limit in found if ready_now[limit.key] >= READY_MOST]
        if full:
            waits.add(job_id)
        for key in full or [limit.key for limit in found]:
            uses.append({"b_key": key, "b_id": job_id, "b_stage": WAITS if full else FREE})
            ready_now[key] += 1
    if waits:
        blocks = [{"b_id": job_id} for job_id in limits if job_id in waits]
        spelling.execute_many(connection, _BLOCK_NEW, blocks)
    spelling.execute_many(connection, _USE_NEW, uses)
    return waits


def admit(connection: Connection, spelling: Spelling, seqs: Sequence[int]) -> set[int]:
    """Take slots for ready jobs that this transaction has locked, first to last.

    Returns those that have all that they need. The others are blocked now, and so are more of their
    keys.
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
    for key in sorted({key for closed in full.values() for key in closed}):
        _block_ready(connection, spelling, key)
    return set(wanted) - full.keys()


def give_back(connection: Connection, spelling: Spelling, seqs: Iterable[int]) -> None:
    """Give back the slots of attempts that have ended, and let as many jobs go that wait for them."""
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
        let_go(connection, spelling, key, count)


def forget(connection: Connection, seqs: Iterable[int]) -> None:
    """Forget what jobs waited for that have ended without a slot."""
    _forget(connection, seqs)


def is_any_waiting(connection: Connection) -> bool:
    """Return whether any job waits for room."""
    return bool(connection.scalar(_IS_ANY_WAITING))


def next_room_in(connection: Connection, *, is_later: bool = False) -> float | None:
    """Return seconds until a key has room for which jobs wait; None: no time brings it.

    `is_later`: of keys that have none yet.
    """
    times = [_seconds_to(row) for row in connection.execute(_WAITED_FOR)]
    return min((seconds for seconds in times if seconds > 0 or not is_later), default=None)


def open_up(connection: Connection, spelling: Spelling, limit: int) -> int:
    """Let jobs go that wait for keys with room, whyever they still wait; return how many."""
    count = 0
    rows = [row for row in connection.execute(_WAITED_FOR).all() if _seconds_to(row) <= 0]
    for row in rows[:_KEYS_MOST]:
        room = row.cap - row.used if row.cap else MOVED_MOST
        if row.rate:
            # Jobs that are ready have their tokens still to take; but they may be of a task that
            # nobody runs.
            ready_now = connection.scalar(_COUNT_READY, {"b_key": row.key}) or 0
            room = min(room, max(math.floor(_tokens_of(row)) - ready_now, 1))
        count += let_go(connection, spelling, row.key, min(room, limit - count))
    return count


def drifted(connection: Connection) -> list[str]:
    """Return the keys whose number of slots is not that of the jobs which run; reads all keys."""
    return list(connection.scalars(_DRIFTED))


def is_any_unused(connection: Connection) -> bool:
    """Return whether any key was not used for a day."""
    return bool(connection.scalar(select(exists().where(*_IS_UNUSED))))


def problems(connection: Connection) -> list[str]:
    """Return what is wrong with the slots, a sentence each."""
    return [
        f"the slots of limit {key!r:.100} are not those of the jobs that run"
        for key in drifted(connection)
    ]


def repair(connection: Connection) -> list[str]:
    """Count slots anew that have drifted."""
    found = problems(connection)
    recount(connection, drifted(connection))
    return [f"{text}: put right" for text in found]


def recount(connection: Connection, keys: Iterable[str]) -> None:
    """Count the slots of keys anew, each locked; forget keys that nobody has used for a day."""
    for key in sorted(keys):
        if connection.execute(_SLOTS, {"b_keys": [key]}).first() is None:
            continue
        lost = connection.scalars(_LOST, {"b_key": key}).all()
        for chunk in padded_chunks(lost):
            connection.execute(_FORGET_LOST, {"b_key": key, "b_seqs": chunk})
        used = connection.scalar(_COUNT_HELD, {"b_key": key})
        connection.execute(_SET_USED, {"b_key": key, "b_used": used})
    connection.execute(_UNUSED)


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
                    tokens=_tokens_of(row),
                    rate=row.rate,
                    now=row.now,
                )
        # Those that have been forgotten since the submit.
        _make(connection, spelling, [said[key] for key in sorted(said.keys() - rooms.keys())])
    return rooms


def _tokens_of(row: AnyRow) -> float:
    gained = max(row.now - row.filled_at, 0) / 1000 * row.rate
    return float(min(row.burst, row.tokens + gained))


def _seconds_to(row: AnyRow) -> float:
    """Return seconds until a slot, of which one is free, has a token too."""
    missing = 1 - _tokens_of(row) if row.rate else 0.0
    return max(missing, 0.0) / row.rate if row.rate else 0.0


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
        {"b_key": key, "b_seq": seq, "b_stage": stage, "b_rank": -number_of(rows[seq].priority)}
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


def _block_ready(connection: Connection, spelling: Spelling, key: str) -> None:
    """Take jobs of a key without room out of the way of others."""
    seqs = connection.scalars(_READY_OF, {"b_key": key}).all()
    blocked_now = _block(connection, spelling, seqs)
    if blocked_now:
        changes = [{"b_seq": seq, "b_stage": WAITS} for seq in blocked_now]
        spelling.execute_many(connection, SET_STAGE, changes)
