"""Rules: what somebody said becomes a rule, which knows the next due time."""

import copy
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Final, TypeAlias

from cronsim import CronSim, CronSimError

from lightwork.errors import BadSchedule
from lightwork.numeric import as_number
from lightwork.schedule.zones import (
    NAIVE_EPOCH,
    clock,
    find_zone,
    first_change,
    instant_of,
    offset_at,
    seconds_of,
)

EXPECTED: Final = (
    'five fields of cron such as "0 3 * * *" (six: seconds first), "@daily", "every 30s", a number '
    "of seconds or a timedelta"
)
_LONGEST_TEXT: Final = 200
_SHORTEST: Final = 1.0
# About 31 years.
_LONGEST: Final = 1e9
_NAMED: Final[Mapping[str, str]] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY: Final = re.compile(
    r"every\s+((?:[0-9]{1,12}(?:\.[0-9]{1,3})?\s*(?:ms|[smhdw])\s*)+)", re.IGNORECASE
)
_PART: Final = re.compile(r"([0-9.]+)\s*(ms|[smhdw])", re.IGNORECASE)
_UNITS: Final[Mapping[str, int]] = {
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}


@dataclass(frozen=True, slots=True)
class Every:
    """An interval."""

    milliseconds: int
    tz: str = "UTC"

    @property
    def text(self) -> str:
        """How it is stored and shown; `parse_rule` reads it."""
        parts, left = [], self.milliseconds
        # No weeks: "every 7d" says more than "every 1w" beside "every 6d".
        for unit in ("d", "h", "m", "s", "ms"):
            count, left = divmod(left, _UNITS[unit])
            parts += [f"{count}{unit}"] if count else []
        return f"every {''.join(parts)}"

    def next_after(self, instant: int, anchor: int) -> int:
        """Return the first due time after an instant; `anchor`: any due time of it."""
        return anchor + ((instant - anchor) // self.milliseconds + 1) * self.milliseconds


@dataclass(frozen=True, slots=True)
class Cron:
    """Fields of cron, on the clocks of a time zone."""

    text: str
    tz: str
    is_fixed: bool
    _zone: tzinfo = field(repr=False, compare=False)
    _fields: CronSim = field(repr=False, compare=False)

    def next_after(self, instant: int, anchor: int = 0) -> int | None:
        """Return the first due time after an instant; None: there is none in fifty years."""
        del anchor  # The times of cron are where they are.
        after = instant // 1000
        found = self._fixed_after(after) if self.is_fixed else self._shown_after(after)
        return None if found is None else found * 1000

    def _fixed_after(self, after: int) -> int | None:
        shown = clock(after + offset_at(after, self._zone))
        while (local := self._walk(shown)) is not None:
            found = instant_of(local, self._zone)
            if found > after:
                return found
            # The clock shows it for the second time: it was due the first time.
            shown = local
        return None

    def _shown_after(self, after: int) -> int | None:
        """Walk stretch by stretch: between two changes a clock is arithmetic."""
        since, offset = after, offset_at(after, self._zone)
        while (local := self._walk(clock(after + offset))) is not None:
            found = seconds_of(local) - offset
            change = first_change(since, found, offset, self._zone)
            if change is None:
                return found
            # What the clock shows at the change itself counts.
            after, since, offset = change - 1, change, offset_at(change, self._zone)
        return None

    def _walk(self, local: datetime) -> datetime | None:
        """Return what a clock that nobody moves shows when it shows a time of these next."""
        walker = copy.copy(self._fields)
        walker.dt = local
        return next(walker, None)


Rule: TypeAlias = Every | Cron


def parse_rule(spec: object, tz: object = None) -> Rule:
    """Return when that is; an interval has no time zone, and cron without one that of UTC.

    Raises:
        BadSchedule: It says no times, or never any.
    """
    if not isinstance(spec, str):
        return _interval(_seconds_of(spec), spec, tz)
    if len(spec) > _LONGEST_TEXT:
        raise BadSchedule(
            f"a schedule has {_LONGEST_TEXT} characters at most; seen: {len(spec)} of them, "
            f"{spec[:40]!r} ..."
        )
    if found := _EVERY.fullmatch(spec.strip()):
        parts = _PART.findall(found[1].lower())
        milliseconds = sum(float(count) * _UNITS[unit] for count, unit in parts)
        return _interval(milliseconds / 1000, spec, tz)
    zone = "UTC" if tz is None else tz
    if not isinstance(zone, str):
        raise BadSchedule(f'tz is the name of a zone such as "Europe/Berlin"; seen: {zone!r:.100}')
    return _cron(" ".join(spec.split()), zone)


def _seconds_of(spec: object) -> float | None:
    return spec.total_seconds() if isinstance(spec, timedelta) else as_number(spec)


def _interval(seconds: float | None, spec: object, tz: object) -> Every:
    if seconds is None:
        raise BadSchedule(f"a schedule is {EXPECTED}; seen: {spec!r:.100}")
    # With `not ... <=` NaN is refused, too.
    if not _SHORTEST <= seconds <= _LONGEST:
        raise BadSchedule(
            f"the interval of a schedule has from {_SHORTEST:g} to {_LONGEST:g} seconds; "
            f"seen: {spec!r:.100}"
        )
    if tz not in (None, "UTC"):
        raise BadSchedule(
            f"an interval is the same in every time zone: leave tz={tz!r:.100} out, or say by cron at "
            "what time of the day"
        )
    return Every(round(seconds * 1000))


# Workers read the same few again and again.
@functools.lru_cache(maxsize=1024)
def _cron(text: str, tz: str) -> Cron:
    expanded = _NAMED.get(text.lower(), text)
    fields = expanded.split()
    if len(fields) not in (5, 6):
        raise BadSchedule(f"a schedule is {EXPECTED}; seen: {text!r}")
    try:
        found = CronSim(expanded, NAIVE_EPOCH)
    except (CronSimError, ValueError, TypeError, AssertionError) as error:
        what = str(error).removeprefix("Bad ")
        raise BadSchedule(
            f"{text!r} is no schedule: its {what} cannot be read, or never comes; expected {EXPECTED}"
        ) from error
    of_day = fields[:2] if len(fields) == 5 else fields[:3]
    is_fixed = not any(part.startswith("*") for part in of_day)
    rule = Cron(text, tz, is_fixed, find_zone(tz), found)
    if rule.next_after(0) is None:
        raise BadSchedule(f"{text!r} is no schedule: there is no such day in fifty years")
    return rule
