"""Figures read as people write them."""

import pytest

from lightwork.cli.tune.words import bytes_, count, percent, seconds_, times


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
def test_seconds(seconds: float, expected: str) -> None:
    assert seconds_(seconds) == expected


@pytest.mark.parametrize(
    ("size", "expected"), [(0, "0 bytes"), (999, "999 bytes"), (8_000_000, "8.00 MB")]
)
def test_bytes(size: int, expected: str) -> None:
    assert bytes_(size) == expected


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(0.0, "0x"), (0.00234, "0.002x"), (0.99, "1.0x"), (1.94, "1.9x"), (31.84, "31.8x")],
)
def test_times(ratio: float, expected: str) -> None:
    assert times(ratio) == expected


@pytest.mark.parametrize(("share", "expected"), [(0, "0 %"), (0.003, "0.3 %"), (0.555, "56 %")])
def test_percent(share: float, expected: str) -> None:
    assert percent(share) == expected


def test_one_of_a_thing_has_no_s() -> None:
    assert (count(1, "item"), count(2000, "item")) == ("1 item", "2,000 items")
