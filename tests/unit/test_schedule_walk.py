"""Schedule beside a walker that asks of every minute whether it is due: slow, and plain to see."""

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from hypothesis import example, given
from hypothesis import strategies as st

from lightwork.model import CatchUp
from lightwork.schedule.rules import parse_rule
from lightwork.schedule.turns import coming, count_times, take_turn

MINUTE: Final = timedelta(minutes=1)
# Each with a day on which its clock was moved, as its noon in UTC: by an hour and by half of one,
# forward and back, at night and at midnight, for DST and for good.
CHANGES: Final = (
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-04"),
    ("Australia/Lord_Howe", "2026-10-03"),
    ("America/Havana", "2026-03-08"),
    ("America/Havana", "2026-11-01"),
    ("America/St_Johns", "2006-10-29"),
    ("America/St_Johns", "2007-03-11"),
    ("Africa/Casablanca", "2026-02-15"),
    ("Asia/Pyongyang", "2018-05-04"),
    ("Pacific/Apia", "2011-12-30"),
    ("UTC", "2026-06-01"),
)
DAYS: Final = 3


def matches(field: str, value: int, first: int, last: int) -> bool:
    """Whether a field of cron names the value: stars, numbers, ranges, lists and steps."""
    for part in field.split(","):
        span, _, step = part.partition("/")
        low, _, high = span.partition("-")
        if span == "*":
            low, high = str(first), str(last)
        elif not high:
            high = str(last) if step else low
        if value in range(int(low), int(high) + 1, int(step or 1)):
            return True
    return False


def names(fields: list[str], local: datetime) -> bool:
    return (
        matches(fields[0], local.minute, 0, 59)
        and matches(fields[1], local.hour, 0, 23)
        and matches(fields[2], local.day, 1, 31)
        and matches(fields[3], local.month, 1, 12)
    )


def walk(spec: str, tz: str, start: datetime) -> Iterator[datetime]:
    """Yield each due minute of three days after the start, asking all of them."""
    fields = spec.split()
    zone = zoneinfo.ZoneInfo(tz)
    is_fixed = not fields[0].startswith("*") and not fields[1].startswith("*")
    at = start
    before = (at - minutes * MINUTE for minutes in range(180))
    # What the clock has shown already: it may have been put back just before.
    latest = max(one.astimezone(zone).replace(tzinfo=None) for one in before)
    for _ in range(DAYS * 24 * 60):
        at += MINUTE
        local = at.astimezone(zone).replace(tzinfo=None)
        if not is_fixed:
            if names(fields, local):
                yield at
            continue
        # Since the minute before, the clock may have skipped some; what it has shown before counts no more.
        passed = [local] if local > latest else []
        while passed and passed[0] - MINUTE > latest:
            passed.insert(0, passed[0] - MINUTE)
        latest = max(latest, local)
        if any(names(fields, one) for one in passed):
            yield at


def numbers(first: int, last: int) -> st.SearchStrategy[str]:
    one = st.integers(first, last).map(str)
    span = st.tuples(st.integers(first, last), st.integers(first, last)).map(
        lambda ends: f"{min(ends)}-{max(ends)}"
    )
    step = st.integers(1, last).map(lambda number: f"*/{number}")
    some = st.lists(one, min_size=1, max_size=4).map(",".join)
    return st.one_of(st.just("*"), one, span, step, some)


SPECS: Final = st.tuples(
    numbers(0, 59),
    st.one_of(numbers(0, 23), numbers(0, 3)),
    st.one_of(st.just("*"), numbers(1, 31)),
).map(lambda fields: f"{' '.join(fields)} * *")


@given(SPECS, st.sampled_from(CHANGES), st.integers(-36 * 60, 12 * 60))
@example("0 */2 * * *", ("Australia/Lord_Howe", "2026-04-04"), 0)
@example("30 2 * * *", ("Europe/Berlin", "2026-10-25"), -12 * 60)
@example("0 8 30 * *", ("Pacific/Apia", "2011-12-30"), -24 * 60)
@example("15 0 * * *", ("America/Havana", "2026-11-01"), -12 * 60)
@example("30 2 * * *", ("Europe/Berlin", "2026-10-25"), -11 * 60 + 10)
def test_due_times_are_those_of_the_walker(
    spec: str, change: tuple[str, str], minutes: int
) -> None:
    tz, day = change
    start = datetime.fromisoformat(day).replace(hour=12, tzinfo=UTC) + minutes * MINUTE
    expected = list(walk(spec, tz, start))
    rule = parse_rule(spec, tz)

    first = rule.next_after(round(start.timestamp() * 1000), 0)

    found = [
        datetime.fromtimestamp(at / 1000, UTC) for at in coming(rule, first, len(expected) + 1)
    ]
    assert found[: len(expected)] == expected
    assert all(at > start + DAYS * timedelta(days=1) for at in found[len(expected) :])


@given(SPECS, st.sampled_from(CHANGES), st.integers(0, DAYS * 24 * 60), st.integers(1, 30))
def test_what_is_caught_up_is_what_was_missed(
    spec: str, change: tuple[str, str], late: int, most: int
) -> None:
    tz, day = change
    rule = parse_rule(spec, tz)
    noon = datetime.fromisoformat(day).replace(hour=12, tzinfo=UTC) - timedelta(days=1)
    first = rule.next_after(round(noon.timestamp() * 1000), 0)
    assert first is not None
    now = first + late * 60_000
    missed = []
    at: int | None = first
    while at is not None and at <= now:
        missed.append(at)
        at = rule.next_after(at, first)

    one = take_turn(rule, first, now, catch_up=CatchUp.ONE, most=most)
    made: list[int] = []
    next_at: int | None = first
    while next_at is not None and next_at <= now:
        turn = take_turn(rule, next_at, now, catch_up=CatchUp.ALL, most=most)
        assert 1 <= len(turn.due) <= most
        made += turn.due
        next_at = turn.next_at

    assert (one.due, one.next_at) == ((missed[-1],), at)
    counted = (0, True) if one.skipped is None else count_times(rule, *one.skipped, most=10**6)
    assert counted == (len(missed) - 1, True)
    assert (made, next_at) == (missed, at)
