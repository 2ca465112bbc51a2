"""Amounts as people type and read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightwork.terminal.amounts import (
    LONGEST,
    parse_duration,
    parse_size,
    show_count,
    show_duration,
    show_ratio,
    show_share,
    show_size,
    show_time,
)


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


@pytest.mark.parametrize(
    ("text", "size"), [("7", 7), ("2k", 2000), ("2K", 2048), ("1.5M", 3 << 19), ("1g", 10**9)]
)
def test_sizes_are_read_as_gnu_parallel_has_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "1MB", "-1", "٣k"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a size such as 500k"):
        parse_size(text)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0, "0.00 ns"),
        (9.4e-8, "94.0 ns"),
        (4e-6, "4.00 µs"),
        (0.0123, "12.3 ms"),
        (0.99999, "1.00 s"),
        (1234.5, "1,234 s"),
    ],
)
def test_a_measured_time_has_three_figures(seconds: float, expected: str) -> None:
    assert show_time(seconds) == expected


@pytest.mark.parametrize(
    ("size", "expected"), [(0, "0 bytes"), (999, "999 bytes"), (8_000_000, "8.00 MB")]
)
def test_a_size_is_shown_in_decimal_units(size: int, expected: str) -> None:
    assert show_size(size) == expected


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(0.0, "0x"), (0.00234, "0.002x"), (0.99, "1.0x"), (1.94, "1.9x"), (31.84, "31.8x")],
)
def test_a_ratio_is_short(ratio: float, expected: str) -> None:
    assert show_ratio(ratio) == expected


@pytest.mark.parametrize(("share", "expected"), [(0, "0 %"), (0.003, "0.3 %"), (0.555, "56 %")])
def test_a_share_is_shown_in_percent(share: float, expected: str) -> None:
    assert show_share(share) == expected


def test_one_of_a_thing_has_no_s() -> None:
    assert (show_count(1, "item"), show_count(2000, "item")) == ("1 item", "2,000 items")
