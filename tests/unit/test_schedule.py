"""Schedule: when cron and intervals are due, by dates that people can look up."""

import uuid
import zoneinfo
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import lightwork as lw
from lightwork.errors import BadSchedule, UsageError
from lightwork.model import CatchUp
from lightwork.schedule import zones
from lightwork.schedule.declared import Schedule, declare, parse_catch_up
from lightwork.schedule.ids import due_at_of, job_id_of
from lightwork.schedule.rules import Every, Rule, parse_rule
from lightwork.schedule.turns import GRACE_MS, coming, take_turn
from lightwork.tasks.task import TaskDeclaration

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
NOON = round(datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp() * 1000)
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def ms(text: str) -> int:
    """Return an instant that is given as ISO 8601 with its offset."""
    instant = datetime.fromisoformat(text)
    assert instant.tzinfo is not None
    return round(instant.timestamp() * 1000)


def due(spec: object, tz: str | None, after: str, count: int) -> list[str]:
    """Return the next due times, as the clock of the zone shows them."""
    rule = parse_rule(spec, tz)
    zone = UTC if tz is None else zoneinfo.ZoneInfo(tz)
    times = coming(rule, rule.next_after(ms(after), ms(after)), count)
    shown = (datetime.fromtimestamp(at / 1000, zone) for at in times)
    return [at.isoformat(timespec="minutes") for at in shown]


# The days on which clocks are put forward and back.


def test_a_fixed_time_that_the_clock_skips_is_due_when_it_has_been_put_forward() -> None:
    # Sunday, 29 March 2026: 02:00 becomes 03:00.
    assert due("30 2 * * *", BERLIN, "2026-03-28T02:30+01:00", 2) == [
        "2026-03-29T03:00+02:00",
        "2026-03-30T02:30+02:00",
    ]


def test_a_fixed_time_that_the_clock_shows_twice_is_due_the_first_time() -> None:
    # Sunday, 25 October 2026: 03:00 becomes 02:00.
    assert due("30 2 * * *", BERLIN, "2026-10-24T02:30+02:00", 2) == [
        "2026-10-25T02:30+02:00",
        "2026-10-26T02:30+01:00",
    ]


def test_who_asks_between_the_two_gets_the_next_day() -> None:
    assert due("30 2 * * *", BERLIN, "2026-10-25T02:10+01:00", 1) == ["2026-10-26T02:30+01:00"]


def test_fixed_times_that_are_skipped_together_are_due_once() -> None:
    assert due("0,15,30 2,3 * * *", BERLIN, "2026-03-29T01:00+01:00", 4) == [
        "2026-03-29T03:00+02:00",
        "2026-03-29T03:15+02:00",
        "2026-03-29T03:30+02:00",
        "2026-03-30T02:00+02:00",
    ]


def test_in_an_hour_that_is_shown_twice_quarters_are_due_eight_times() -> None:
    found = due("*/15 2 * * *", BERLIN, "2026-10-25T01:59+02:00", 9)

    assert found[:8] == [
        f"2026-10-25T02:{minute:02}+0{offset}:00" for offset in (2, 1) for minute in (0, 15, 30, 45)
    ]
    assert found[8].startswith("2026-10-26")


def test_in_an_hour_that_is_skipped_quarters_are_not_due() -> None:
    assert due("*/15 2 * * *", BERLIN, "2026-03-28T23:00+01:00", 1) == ["2026-03-30T02:00+02:00"]


def test_every_hour_is_due_in_each_hour_of_a_long_day() -> None:
    found = due("0 * * * *", BERLIN, "2026-10-24T23:59+02:00", 25)

    assert len({at[:10] for at in found}) == 1
    assert found[2:4] == ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"]


def test_new_york_puts_its_clock_forward_and_back() -> None:
    # 8 March 2026: 02:00 becomes 03:00; 1 November: 02:00 becomes 01:00.
    assert due("15 2 * * *", NEW_YORK, "2026-03-08T00:00-05:00", 1) == ["2026-03-08T03:00-04:00"]
    assert due("30 1 * * *", NEW_YORK, "2026-11-01T00:00-04:00", 2) == [
        "2026-11-01T01:30-04:00",
        "2026-11-02T01:30-05:00",
    ]


def test_a_clock_that_is_moved_by_half_an_hour_skips_half_an_hour() -> None:
    # Lord Howe, 4 October 2026: 02:00 becomes 02:30.
    assert due("15 2 * * *", LORD_HOWE, "2026-10-04T00:00+10:30", 2) == [
        "2026-10-04T02:30+11:00",
        "2026-10-05T02:15+11:00",
    ]
    assert due("45 * * * *", LORD_HOWE, "2026-10-04T01:00+10:30", 2) == [
        "2026-10-04T01:45+10:30",
        "2026-10-04T02:45+11:00",
    ]


def test_a_clock_that_is_put_back_by_half_an_hour_misses_no_hour() -> None:
    # 5 April 2026: 02:00 becomes 01:30. cronsim, asked in that zone, leaves 02:00 out.
    assert due("0 */2 * * *", LORD_HOWE, "2026-04-05T00:00+11:00", 2) == [
        "2026-04-05T02:00+10:30",
        "2026-04-05T04:00+10:30",
    ]
    assert due("45 * * * *", LORD_HOWE, "2026-04-05T01:00+11:00", 3) == [
        "2026-04-05T01:45+11:00",
        "2026-04-05T01:45+10:30",
        "2026-04-05T02:45+10:30",
    ]


def test_a_day_that_a_country_has_left_out_is_due_after_it() -> None:
    # Samoa went from 29 to 31 December 2011.
    assert due("0 8 30 12 *", "Pacific/Apia", "2011-12-29T08:00-10:00", 1) == [
        "2011-12-31T00:00+14:00"
    ]


# Calendars.


def test_the_31st_is_due_in_months_that_have_one() -> None:
    found = due("0 0 31 * *", None, "2026-01-31T00:00+00:00", 4)

    assert [at[5:10] for at in found] == ["03-31", "05-31", "07-31", "08-31"]


def test_the_last_day_is_due_in_every_month() -> None:
    found = due("0 0 L * *", None, "2028-01-31T00:00+00:00", 3)

    assert [at[:10] for at in found] == ["2028-02-29", "2028-03-31", "2028-04-30"]


def test_the_29th_of_february_is_due_in_leap_years() -> None:
    assert due("0 0 29 2 *", BERLIN, "2026-01-01T00:00+00:00", 2) == [
        "2028-02-29T00:00+01:00",
        "2032-02-29T00:00+01:00",
    ]


def test_day_and_weekday_are_either_of_both() -> None:
    found = due("0 0 13 * FRI", None, "2026-11-01T00:00+00:00", 3)

    assert [at[:10] for at in found] == ["2026-11-06", "2026-11-13", "2026-11-20"]


def test_the_first_of_six_fields_is_the_second() -> None:
    rule = parse_rule("*/20 30 2 * * *", None)

    times = coming(rule, rule.next_after(ms("2026-01-01T00:00+00:00"), 0), 4)

    assert [at - ms("2026-01-01T02:30+00:00") for at in times] == [0, 20_000, 40_000, DAY]


def test_a_time_of_one_second_is_fixed_whatever_the_number_of_fields() -> None:
    assert due("0 30 2 * * *", BERLIN, "2026-10-25T02:30+02:00", 1) == ["2026-10-26T02:30+01:00"]


@pytest.mark.parametrize(
    ("word", "first"),
    [
        ("@yearly", "2027-01-01T00:00+00:00"),
        ("@monthly", "2026-12-01T00:00+00:00"),
        ("@weekly", "2026-11-29T00:00+00:00"),
        ("@daily", "2026-11-27T00:00+00:00"),
        ("@Hourly", "2026-11-26T20:00+00:00"),
    ],
)
def test_common_ones_have_names(word: str, first: str) -> None:
    assert due(word, None, "2026-11-26T19:30+00:00", 1) == [first]


# Intervals.


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("every 30s", "every 30s"),
        ("every  90 s", "every 1m30s"),
        ("Every 1.5H", "every 1h30m"),
        ("every 1w", "every 7d"),
        (90, "every 1m30s"),
        (1.5, "every 1s500ms"),
        (timedelta(days=1, minutes=5), "every 1d5m"),
    ],
)
def test_an_interval_may_be_said_in_many_ways(spec: object, text: str) -> None:
    rule = parse_rule(spec, None)

    assert (rule.text, parse_rule(rule.text, None)) == (text, rule)


def test_an_interval_counts_from_where_it_began() -> None:
    rule = parse_rule("every 7m", None)
    began = ms("2026-01-01T00:03+00:00")

    assert coming(rule, rule.next_after(began, began), 2) == [
        began + 7 * MINUTE,
        began + 14 * MINUTE,
    ]
    assert rule.next_after(began + 20 * MINUTE, began) == began + 21 * MINUTE
    assert rule.next_after(began - 1, began) == began


def test_a_day_as_an_interval_is_24_hours_on_every_day() -> None:
    began = ms("2026-10-24T12:00+02:00")

    assert Every(DAY).next_after(began, began) == ms("2026-10-25T11:00+01:00")


# What is none.


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "every day",
        "every 500ms",
        "every 1.2.3s",
        "every",
        "* * * *",
        "* * * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 9",
        "*/0 * * * *",
        "5-1 * * * *",
        "? * * * *",
        "0 0 30 2 *",
        "0 0 */30 2 SUN#5",
        "@reboot",
        "0 0 L L L",
        "1," * 101,
        0,
        0.5,
        -30,
        float("nan"),
        float("inf"),
        2e9,
        True,
        None,
        object(),
        timedelta(0),
        ["every 30s"],
    ],
)
def test_what_is_no_schedule_is_refused_with_what_was_expected(spec: object) -> None:
    with pytest.raises(BadSchedule, match=r"(schedule|interval)") as caught:
        parse_rule(spec, None)

    assert isinstance(caught.value, UsageError)


@given(st.text(alphabet="0123456789*/,-LW#? SUNMOFEB@every.²\0", max_size=40))
def test_whatever_is_typed_is_a_schedule_or_refused(text: str) -> None:
    try:
        rule = parse_rule(text, None)
    except BadSchedule:
        return

    now = ms("2026-02-28T23:59+00:00")
    assert (rule.next_after(now, now) or now + 1) > now


@pytest.mark.parametrize(
    "tz", ["Europe/Atlantis", "", "../etc/passwd", "/etc/localtime", "Europe", "a" * 300, "B\0", 7]
)
def test_what_is_no_time_zone_is_refused(tz: object) -> None:
    with pytest.raises(BadSchedule, match=r"time zone|name of a zone"):
        parse_rule("0 3 * * *", tz)


def test_a_time_zone_that_is_nearly_one_is_guessed() -> None:
    with pytest.raises(BadSchedule, match=r"did you mean.*Europe/Berlin"):
        parse_rule("0 3 * * *", "Europe/Berln")


def test_a_machine_without_time_zones_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> Any:
        raise zoneinfo.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(zoneinfo, "ZoneInfo", missing)
    monkeypatch.setattr(zones, "_known_zones", set)

    with pytest.raises(BadSchedule, match=r"no database of time zones; install.*tzdata"):
        parse_rule("1 3 * * *", BERLIN)
    assert parse_rule("1 3 * * *", "UTC").tz == "UTC"


def test_an_interval_takes_no_time_zone() -> None:
    with pytest.raises(BadSchedule, match="an interval is the same in every time zone"):
        parse_rule("every 1h", BERLIN)


def test_catching_up_has_three_words() -> None:
    assert [parse_catch_up(word) for word in ("none", "one", "all", None)] == [
        CatchUp.NONE,
        CatchUp.ONE,
        CatchUp.ALL,
        CatchUp.ONE,
    ]
    with pytest.raises(BadSchedule, match="none, one, all"):
        parse_catch_up("some")


# What is declared.


def report(day: str = "today") -> None: ...


def needy(day: str, *rest: int, hour: int) -> None: ...


def test_a_task_is_declared_with_its_schedule() -> None:
    assert declare(report, " 0  3 * * * ", BERLIN, "all") == Schedule(
        "0 3 * * *", BERLIN, CatchUp.ALL
    )


def test_a_function_that_needs_arguments_cannot_be_scheduled() -> None:
    with pytest.raises(BadSchedule, match=r"needy .* it needs day, hour;"):
        declare(needy, "every 30s")


def test_a_function_that_no_worker_finds_cannot_be_scheduled() -> None:
    with pytest.raises(BadSchedule, match="defined inside a function"):
        declare(lambda: None, "every 30s")


@pytest.mark.parametrize("options", [{"tz": BERLIN}, {"catch_up": "all"}, {"schedule": None}])
def test_without_a_schedule_nothing_of_one_is_declared(options: TaskDeclaration) -> None:
    with pytest.raises(BadSchedule, match="belong to a schedule"):
        lw.task(**options)(report)


def test_only_the_task_that_is_declared_has_the_schedule() -> None:
    daily = lw.task(schedule="0 3 * * *", tz=BERLIN, retries=2)(report)

    assert daily.schedule == Schedule("0 3 * * *", BERLIN, CatchUp.ONE)
    assert daily.policy.retries == 2
    assert daily.options(priority=1).schedule is None
    assert lw.task(report).schedule is None


def test_what_was_a_task_already_stays_as_it_is() -> None:
    plain = lw.task(report)

    assert lw.task(schedule="every 30s")(plain).schedule is not None
    assert plain.schedule is None


def test_the_session_of_a_transaction_is_no_argument() -> None:
    def settle(session: object) -> None: ...

    settle.__qualname__ = "settle"

    assert lw.task(schedule="every 30s", transaction=True)(settle).schedule is not None


def test_a_copy_with_other_options_takes_no_schedule() -> None:
    with pytest.raises(UsageError, match="schedule belongs to a task where"):
        lw.task(report).options(schedule="every 30s")  # type: ignore[call-arg]


# Ids.


def test_jobs_of_schedules_are_named_alike_everywhere() -> None:
    # Stores hold such names: they must never change.
    assert str(job_id_of("nightly", NOON)) == "019de368-f600-86c7-8773-632a3b62b53d"


@given(st.text(), st.integers(0, 253_402_300_799_000))
def test_the_due_time_can_be_read_from_the_id_of_a_job(name: str, due_at: int) -> None:
    job_id = job_id_of(name, due_at)

    found = due_at_of(str(job_id))

    assert found is not None
    assert round(found.timestamp() * 1000) == due_at
    assert job_id.version == 8
    assert job_id != job_id_of(name + "x", due_at)


@given(st.uuids() | st.text())
@example(uuid.UUID("019de368-f600-76c7-8773-632a3b62b53d"))
@example("")
def test_other_ids_have_no_due_time(job_id: object) -> None:
    assert due_at_of(str(job_id)) is None


# Turns.

HOURLY = parse_rule("0 * * * *", None)


def turn(rule: Rule, late: int, catch_up: str, most: int = 100) -> tuple[list[int], int | None]:
    """Return, in milliseconds from noon, when it was due, what was made and what is next."""
    found = take_turn(rule, NOON, NOON + late, catch_up=CatchUp(catch_up), most=most)
    return [at - NOON for at in found.due], None if found.next_at is None else found.next_at - NOON


@pytest.mark.parametrize("catch_up", CatchUp)
def test_what_is_due_now_is_met_whatever_is_caught_up(catch_up: str) -> None:
    assert turn(HOURLY, 0, catch_up) == ([0], HOUR)
    assert turn(HOURLY, 5_000, catch_up) == ([0], HOUR)


@pytest.mark.parametrize("catch_up", CatchUp)
def test_what_is_not_due_is_left_alone(catch_up: str) -> None:
    assert turn(HOURLY, -1, catch_up) == ([], 0)


@pytest.mark.parametrize(
    ("catch_up", "made"),
    [("none", []), ("one", [3 * HOUR]), ("all", [0, HOUR, 2 * HOUR, 3 * HOUR])],
)
def test_what_was_missed_is_caught_up_as_it_says(catch_up: str, made: list[int]) -> None:
    assert turn(HOURLY, 3 * HOUR + 2 * GRACE_MS, catch_up) == (made, 4 * HOUR)


def test_nothing_is_missed_within_a_minute() -> None:
    assert turn(HOURLY, GRACE_MS, "none") == ([0], HOUR)
    assert turn(HOURLY, GRACE_MS + 1, "none") == ([], HOUR)


def test_what_is_caught_up_one_by_one_is_bounded_in_each_turn() -> None:
    assert turn(HOURLY, 9 * HOUR, "all", most=3) == ([0, HOUR, 2 * HOUR], 3 * HOUR)


def test_years_of_seconds_are_caught_up_at_once() -> None:
    late = 5 * 365 * DAY + 500
    seconds = parse_rule("* * * * * *", None)

    assert turn(seconds, late, "one") == ([5 * 365 * DAY], 5 * 365 * DAY + 1000)
    assert turn(Every(1000), late, "one") == ([5 * 365 * DAY], 5 * 365 * DAY + 1000)


def test_the_latest_is_found_beyond_long_gaps() -> None:
    daily = parse_rule("* * 3 * * *", None)

    found = take_turn(
        daily,
        ms("2026-01-01T03:00+00:00"),
        ms("2026-08-01T18:00+00:00"),
        catch_up=CatchUp.ONE,
        most=1,
    )

    assert found.due == (ms("2026-08-01T03:59:59+00:00"),)
    assert found.next_at == ms("2026-08-02T03:00:00+00:00")
