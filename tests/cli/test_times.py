"""Durations as people type and read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightwork.cli.times import LONGEST, parse_duration, show_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30.0),
        ("10m", 600.0),
        ("2h", 7200.0),
        ("7d", 604800.0),
        ("250ms", 0.25),
        ("1.5h", 5400.0),
        ("25", 25.0),
        ("0", 0.0),
        (" 3 s ", 3.0),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "-1s", "+1s", "1x", "1h30m", "nan", "inf", "1e3", "٣s", "1" * 13, "1.s"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


def test_a_duration_beyond_any_use_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than"):
        parse_duration("99999d")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1.0, "0 ms"),
        (0.0, "0 ms"),
        (0.31, "310 ms"),
        (0.9996, "1 s"),
        (2.5, "2.5 s"),
        (25.0, "25 s"),
        (59.96, "1 m 00 s"),
        (61.0, "1 m 01 s"),
        (3599.6, "1 h 00 m"),
        (86400.0, "1 d 00 h"),
    ],
)
def test_durations_are_shown_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert show_duration(seconds) == text


@given(st.floats(min_value=0.0, max_value=LONGEST))
def test_a_shown_duration_is_short(seconds: float) -> None:
    assert len(show_duration(seconds)) <= len("11574 d 01 h")
