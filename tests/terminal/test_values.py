"""Arguments and results of functions as text."""

from decimal import Decimal
from typing import Any

import pytest

from lightwork.errors import UsageError
from lightwork.terminal.values import read_value, show_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-0.5", -0.5),
        ('"3"', "3"),
        ("[1, 2]", [1, 2]),
        ("null", None),
        ("a b", "a b"),
        ("", ""),
        ("NaN", "NaN"),
    ],
)
def test_an_argument_is_json_if_it_reads_as_json(text: str, value: Any) -> None:
    assert read_value(text) == value


def test_json_beyond_all_reason_is_refused() -> None:
    with pytest.raises(UsageError, match="nested too deeply"):
        read_value("[" * 100_000)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, b""),
        ("text", b"text\n"),
        ("\udcff", b"\xff\n"),
        ({"a": [1, None]}, b'{"a":[1,null]}\n'),
        (Decimal("1.5"), b'"1.5"\n'),
        (1 + 2j, b"(1+2j)\n"),
        (2**70, b"1180591620717411303424\n"),
    ],
)
def test_a_result_is_shown_as_a_line(value: Any, shown: bytes) -> None:
    assert show_value(value) == shown
