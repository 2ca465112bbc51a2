"""Retention as people type it."""

import math

import pytest

from lightwork.model import Retention
from lightwork.terminal.retention import parse_retention, retention_text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("30d", Retention.all(30 * 86400)),
        ("forever", Retention.all(math.inf)),
        ("failed=90d, succeeded=1h", Retention(failed=90 * 86400, succeeded=3600)),
        ("succeeded=7d,failed=30d,cancelled=7d", Retention()),
        ("failed=forever", Retention(failed=math.inf)),
    ],
)
def test_what_is_typed_is_understood_and_can_be_typed_again(text: str, kept: Retention) -> None:
    assert parse_retention(text) == kept
    assert parse_retention(retention_text(kept)) == kept


@pytest.mark.parametrize("text", ["", "a week", "failed=", "lost=7d", "failed=7d,,"])
def test_what_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        parse_retention(text)
