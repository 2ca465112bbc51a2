"""Attempts, as a worker ends them: ack, progress, requests to stop.

The one place where an attempt ends is `end_attempts`, whoever ends it: the worker
that ran it, the worker that signs off, or the one that rescues. Each end is an
a move guarded by seq, attempt number and worker; a refused one changes
nothing and is reported.

The ends of a batch are written kind by kind, many rows to a statement. When a row
count says that one of them was refused, the whole batch is rolled back to a
savepoint and written one by one, which tells which: refusals are rare.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from operator import attrgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from lightwork.bounds.payloads import LEAST_BOUND
from lightwork.lifecycle import (
    AttemptEnd,
    Cancelled,
    Failed,
    Lost,
    Quarantined,
    Retried,
    Snoozed,
    Succeeded,
    step,
)
from lightwork.model import Attempt, Progress, State
from lightwork.store.operations import counters, dependencies, ties
from lightwork.store.operations.bounds import limits
from lightwork.store.operations.jobs import cancel_unwanted
from lightwork.store.sql import ends as sql
from lightwork.store.sql.rows import (
    MAX_NOTE,
    child_values,
    error_values,
    finite,
    milliseconds,
    storable,
)
from lightwork.store.sql.spelling import Spelling
from lightwork.store.tables.jobs import (
    CANCEL_KILL,
    TIE_EXPIRES,
    TIE_LIMITED,
    TIE_UNTIL_BEGIN,
    TIE_UNTIL_END,
)

# How the ends that are kept as rows of `attempt` are called there.
_KEPT: Final[dict[type[AttemptEnd], str]] = {
    Failed: "failed",
    Retried: "failed",
    Cancelled: "cancelled",
    Lost: "lost",
    Quarantined: "lost",
}
_UNIQUE: Final = TIE_UNTIL_BEGIN | TIE_UNTIL_END
_NO_ERROR: Final = dict.fromkeys(
    ("b_error_type", "b_error_text", "b_traceback", "b_signal", "b_peak_memory")
)


# A NamedTuple, which takes a third of the time to make: there is one for every job.
class Ending(NamedTuple):
    """The end of one attempt, with all that its guard names."""

    seq: int
    number: int
    worker: bytes | None
    queue: str
    end: AttemptEnd
    ties: int = 0


class Effect(Enum):
    """What has come of an end that was to be recorded, by itself or with others."""

    REFUSED = "refused"
    # A job has ended, and none can begin for that.
    ENDS = "ends"
    # One may: it waited for that end, for room, or it is the same job.
    OPENS = "opens"


def ending_of(worker: bytes, attempt: Attempt, end: AttemptEnd) -> Ending:
    """Return the end of an attempt that a worker, given as the bytes of its id, claimed."""
    return Ending(
        attempt.seq, attempt.number, worker, attempt.policy.queue, end=end, ties=attempt.ties
    )


def open_nothing(effects: Sequence[Effect]) -> bool:
    """Whether no job may be ready for what was recorded."""
    return Effect.OPENS not in effects


def is_plain(spelling: Spelling, endings: Sequence[Ending]) -> bool:
    """Whether it is one end, of which `succeed_alone` may be tried."""
    if len(endings) != 1 or not spelling.ends_plain:
        return False
    (ending,) = endings
    is_small = isinstance(ending.end, Succeeded) and len(ending.end.result) <= LEAST_BOUND
    return is_small and not ending.ties


def succeed_alone(connection: Connection, spelling: Spelling, ending: Ending) -> bool:
    """Record a plain end if nothing can begin for it, in no transaction; False: nothing was changed."""
    return spelling.succeed_alone(connection, ending.queue, _values(ending))


def end_attempts(
    connection: Connection, spelling: Spelling, endings: Sequence[Ending]
) -> list[bool]:
    """Record the ends; say for each whether it was accepted."""
    return [effect is not Effect.REFUSED for effect in effects_of(connection, spelling, endings)]


def effects_of(
    connection: Connection, spelling: Spelling, endings: Sequence[Ending]
) -> list[Effect]:
    """Record the ends; return what has come of each."""
    if not endings:
        return []
    if len(endings) == 1:
        (ending,) = endings
        if spelling.ends_plain and isinstance(ending.end, Succeeded) and not ending.ties:
            return [_succeed(connection, spelling, ending)]
        return [_record(connection, spelling, endings)]
    # Of one that is given twice only the first end counts, and two rows at once cannot be written.
    if len({ending.seq for ending in endings}) == len(endings):
        savepoint = connection.begin_nested()
        effect = _record(connection, spelling, endings)
        if effect is not Effect.REFUSED:
            savepoint.commit()
            return [effect] * len(endings)
        savepoint.rollback()
    return [_record(connection, spelling, [ending]) for ending in endings]


def note_begun(
    connection: Connection, spelling: Spelling, worker_id: uuid.UUID, attempts: Iterable[Attempt]
) -> None:
    """Record that attempts have begun, where they are still this worker's."""
    values = [
        {"b_seq": attempt.seq, "b_number": attempt.number, "b_worker": worker_id.bytes}
        for attempt in attempts
    ]
    if values:
        spelling.execute_many(connection, sql.NOTE_BEGUN, values)


def report_progress(
    connection: Connection,
    spelling: Spelling,
    worker_id: uuid.UUID,
    reports: Iterable[tuple[Attempt, Progress]],
) -> None:
    """Record how far attempts are, where they are still this worker's."""
    values = [
        {
            "b_seq": attempt.seq,
            "b_number": attempt.number,
            "b_worker": worker_id.bytes,
            "b_done": finite(progress.done),
            "b_total": finite(progress.total),
            "b_note": storable(progress.note, MAX_NOTE),
        }
        for attempt, progress in reports
    ]
    if values:
        spelling.execute_many(connection, sql.REPORT_PROGRESS, values)


def cancel_requests(
    connection: Connection, worker_id: uuid.UUID
) -> list[tuple[uuid.UUID, int, bool]]:
    """Return what this worker runs and is asked to stop."""
    found = connection.execute(sql.CANCEL_REQUESTS, {"b_worker": worker_id})
    return [(row.id, row.attempt, row.cancel_requested == CANCEL_KILL) for row in found]


def _succeed(connection: Connection, spelling: Spelling, ending: Ending) -> Effect:
    """Do what `_record` does for one that is tied to nothing, in few words."""
    if not spelling.succeed_one(connection, ending.queue, _values(ending)):
        return Effect.REFUSED
    is_heard = dependencies.tell_children(connection, spelling, [ending.seq], [ending.queue])
    return Effect.OPENS if is_heard else Effect.ENDS


def _record(connection: Connection, spelling: Spelling, endings: Sequence[Ending]) -> Effect:
    """Write the ends; REFUSED if one was, and then what was written is to be undone."""
    # In one order everywhere, or two who end the same would wait for each other.
    in_order = sorted(endings, key=attrgetter("seq"))
    spelling.lock_running(connection, [ending.seq for ending in in_order])
    in_kinds: defaultdict[type[AttemptEnd], list[Ending]] = defaultdict(list)
    for ending in in_order:
        in_kinds[type(ending.end)].append(ending)
    for kind, group in sorted(in_kinds.items(), key=lambda pair: pair[0].__name__):
        values = [_values(ending) for ending in group]
        if kind in _KEPT:
            spelling.execute_many(connection, sql.KEEP_ATTEMPT, values)
        if spelling.move(connection, sql.END[kind], values) != len(values):
            return Effect.REFUSED
    return Effect.OPENS if _settle(connection, spelling, in_kinds) else Effect.ENDS


def _settle(
    connection: Connection,
    spelling: Spelling,
    in_kinds: Mapping[type[AttemptEnd], Sequence[Ending]],
) -> bool:
    """Do what follows from the ends; return whether a job may be ready for it."""
    after: defaultdict[State, list[Ending]] = defaultdict(list)
    for kind, group in in_kinds.items():
        after[step(State.RUNNING, kind)] += group
    final = [
        (ending, state) for state, group in after.items() if state.is_final for ending in group
    ]
    counters.add(connection, spelling, [(ending.queue, state) for ending, state in final])
    if tied := [ending for group in in_kinds.values() for ending in group if ending.ties]:
        _untie(connection, spelling, tied)
    is_heard = False
    if final:
        seqs, queues = [one.seq for one, _state in final], {one.queue for one, _state in final}
        is_heard = dependencies.tell_children(connection, spelling, seqs, queues)
    for state in (State.READY, State.SCHEDULED):
        again = [ending.seq for ending in after[state]]
        cancel_unwanted(connection, spelling, state, again)
    return is_heard or bool(tied) or len(final) < sum(map(len, in_kinds.values()))


def _untie(connection: Connection, spelling: Spelling, endings: Sequence[Ending]) -> None:
    snoozed = [ending for ending in endings if isinstance(ending.end, Snoozed)]
    # It has begun in time, and nothing that is counted says so.
    ties.never_expire(connection, [one.seq for one in snoozed if one.ties & TIE_EXPIRES])
    final = [one for one in endings if step(State.RUNNING, type(one.end)).is_final]
    ties.end(connection, [one.seq for one in final if one.ties & _UNIQUE])
    limits.give_back(connection, spelling, [one.seq for one in endings if one.ties & TIE_LIMITED])


def _values(ending: Ending) -> dict[str, Any]:
    values: dict[str, Any] = {
        "b_seq": ending.seq,
        "b_number": ending.number,
        "b_worker": ending.worker,
    }
    if type(ending.end) is Succeeded:
        # The rule; a match would ask it for its class and then for its fields.
        values["b_result"] = ending.end.result
        return values
    match ending.end:
        case Failed(error) | Lost(error) | Quarantined(error):
            values |= error_values(error) | child_values(error)
        case Retried(error, delay):
            values |= error_values(error) | child_values(error) | {"b_delay": milliseconds(delay)}
        case Snoozed(delay):
            return values | {"b_delay": milliseconds(delay)}
        case Cancelled():
            values |= _NO_ERROR
    return values | {"b_outcome": _KEPT.get(type(ending.end), "")}
