"""Rows of schedules: between what a database keeps and what is declared or shown. Pure.

As with jobs: what is to be acted on is read strictly, what a person looks at as far as it goes.
"""

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from lightwork.errors import BadSchedule, UsageError
from lightwork.model import CatchUp, Limit, NewSchedule, Policy, UniqueKey
from lightwork.schedule.declared import parse_catch_up
from lightwork.schedule.rules import Rule, parse_rule
from lightwork.store.sql.rows import AnyRow, CorruptRow, instant, text_of
from lightwork.store.views import ScheduleView
from lightwork.tasks.task import check_policy

CODE: Final = "code"
USER: Final = "user"
_DEFAULTS: Final = Policy()
# Of the year 9999.
_LATEST: Final = 253_402_300_799_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSchedule:
    """A row that can be acted on."""

    name: str
    task: str
    rule: Rule
    catch_up: CatchUp
    policy: Policy
    unique: UniqueKey | None
    limits: tuple[Limit, ...]
    payload: bytes
    next_at: int | None
    last_at: int | None
    now: int


def values_of(new: NewSchedule) -> dict[str, Any]:
    """Return what a row says of a declaration, by the names of columns."""
    return {
        "task": new.task,
        "spec": new.spec,
        "tz": new.tz,
        "catch_up": str(new.catch_up),
        "policy": policy_text(new.policy, _Keys(new.unique, new.limits)),
        "payload": new.payload,
    }


class _Keys(msgspec.Struct, frozen=True, omit_defaults=True):
    """The filled keys of a schedule's jobs, which lie beside their policy."""

    unique_key: UniqueKey | None = None
    limits: tuple[Limit, ...] = ()


_NO_KEYS: Final = _Keys()


@functools.lru_cache(maxsize=1024)
def policy_text(policy: Policy, keys: _Keys = _NO_KEYS) -> str:
    """Return JSON of what differs from the default policy, with the keys; "" if nothing does."""
    changes = msgspec.to_builtins(keys) | {
        known.name: value
        for known in dataclasses.fields(Policy)
        if (value := getattr(policy, known.name)) != getattr(_DEFAULTS, known.name)
    }
    return msgspec.json.encode(changes).decode() if changes else ""


def rule_of(row: AnyRow) -> Rule:
    """Return when a row is due.

    Raises:
        BadSchedule: This program cannot tell.
    """
    spec, tz = text_of(row.spec), text_of(row.tz)
    # That of an interval stands for none.
    return parse_rule(spec, None if tz == "UTC" else tz)


def stored_of(row: AnyRow) -> StoredSchedule:
    """Return a row as one that can be acted on.

    Raises:
        BadSchedule: Its times cannot be told here.
        CorruptRow: It does not hold what lightwork writes.
    """
    if not isinstance(row.name, str) or not isinstance(row.task, str):
        raise CorruptRow("the stored name or task is not text")
    if not isinstance(row.payload, bytes):
        raise CorruptRow(f"the stored payload is {type(row.payload).__name__}, not bytes")
    for at in (row.next_at, row.last_at):
        if at is not None and not (isinstance(at, int) and 0 <= at <= _LATEST):
            raise CorruptRow(f"a stored time is none: {at!r:.100}")
    keys = _keys_of(row.policy)
    return StoredSchedule(
        name=row.name,
        task=row.task,
        rule=rule_of(row),
        catch_up=parse_catch_up(row.catch_up),
        policy=_policy_of(row.policy),
        unique=keys.unique_key,
        limits=keys.limits,
        payload=row.payload,
        next_at=row.next_at,
        last_at=row.last_at,
        now=row.now,
    )


def schedule_view(row: AnyRow) -> ScheduleView:
    """Return a schedule as it is shown."""
    try:
        policy, problem = stored_of(row).policy, ""
    except (BadSchedule, CorruptRow) as error:
        policy, problem = _DEFAULTS, str(error)
    return ScheduleView(
        name=text_of(row.name),
        task=text_of(row.task),
        spec=text_of(row.spec),
        tz=text_of(row.tz),
        catch_up=text_of(row.catch_up),
        origin=text_of(row.origin),
        policy=policy,
        payload_size=len(row.payload) if isinstance(row.payload, bytes) else 0,
        created_at=instant(row.created_at),
        paused_at=None if row.paused_at is None else instant(row.paused_at),
        next_at=None if row.next_at is None else instant(row.next_at),
        last_at=None if row.last_at is None else instant(row.last_at),
        last_job=row.last_job,
        read_at=instant(row.now),
        problem=problem,
    )


def _policy_of(stored: Any) -> Policy:
    try:
        policy = msgspec.json.decode(stored, type=Policy) if stored else _DEFAULTS
        check_policy(policy)
    except (ValueError, TypeError, UsageError) as error:
        raise CorruptRow(f"the stored policy cannot be read: {error}") from error
    return policy


def _keys_of(stored: Any) -> _Keys:
    try:
        return msgspec.json.decode(stored, type=_Keys) if stored else _NO_KEYS
    except (ValueError, TypeError) as error:
        raise CorruptRow(f"the stored keys cannot be read: {error}") from error
