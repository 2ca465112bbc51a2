"""Zones: what clocks show, and when they are moved.

Instants are seconds since 1970 UTC; what a clock shows is counted as if it were UTC.
"""

import functools
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from lightwork.error_text import did_you_mean
from lightwork.errors import BadSchedule

_DAY: Final = 86_400
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
NAIVE_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - what a clock on a wall shows
_SECOND: Final = timedelta(seconds=1)


def find_zone(name: str) -> tzinfo:
    """Return the zone of that name.

    Raises:
        BadSchedule: There is none, or this machine knows none at all.
    """
    if name == "UTC":
        # The only one that needs no database.
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        known = _known_zones()
        if not known:
            raise BadSchedule(
                f"the time zone {name!r:.100} cannot be read: this machine has no database of time "
                "zones; install the system's package tzdata, or `pip install tzdata`"
            ) from error
        raise BadSchedule(
            f"{name!r:.100} is not the name of a time zone; expected one such as 'Europe/Berlin'"
            f"{did_you_mean(name, known)}"
        ) from error


@functools.cache
def _known_zones() -> set[str]:
    # It walks through all files of the database.
    return zoneinfo.available_timezones()


def offset_at(instant: int, zone: tzinfo) -> int:
    """Return by how many seconds a clock there is ahead of UTC."""
    offset = (_EPOCH + timedelta(seconds=instant)).astimezone(zone).utcoffset()
    assert offset is not None, "a time zone tells it for every instant"
    return offset // _SECOND


def clock(seconds: int) -> datetime:
    """Return so many seconds as date and time."""
    return NAIVE_EPOCH + timedelta(seconds=seconds)


def seconds_of(local: datetime) -> int:
    """Return date and time as seconds."""
    return (local - NAIVE_EPOCH) // _SECOND


def instant_of(local: datetime, zone: tzinfo) -> int:
    """Return when a clock shows that for the first time; of what it skips, when it has done so."""
    # fold=0: by the offset from before a change.
    found = (local.replace(tzinfo=zone) - _EPOCH) // _SECOND
    if found + offset_at(found, zone) == seconds_of(local):
        return found
    before = (local.replace(tzinfo=zone, fold=1) - _EPOCH) // _SECOND
    change = first_change(before, found, offset_at(before, zone), zone)
    assert change is not None, "a clock skips only where it is changed"
    return change


def first_change(since: int, until: int, offset: int, zone: tzinfo) -> int | None:
    """Return the first second until then that has another offset; None: there is none.

    It is asked day by day: no clock was ever moved there and back within one.
    """
    for day in _days(since, until):
        if offset_at(day, zone) != offset:
            same, other = max(day - _DAY, since), day
            while other - same > 1:
                middle = (same + other) // 2
                same, other = (
                    (middle, other) if offset_at(middle, zone) == offset else (same, middle)
                )
            return other
    return None


def _days(since: int, until: int) -> Iterator[int]:
    yield from range(since + _DAY, until, _DAY)
    yield until
