"""When a map stops early."""

import pytest

from lightwork.cli.parallel.halt import Halt, Tally, parse_halt
from lightwork.errors import UsageError


@pytest.mark.parametrize(
    ("rule", "succeeded", "failed", "is_reached"),
    [
        ("never", 10**6, 10**6, False),
        ("now,fail=1", 5, 0, False),
        ("now,fail=1", 0, 1, True),
        ("soon,fail=3", 9, 2, False),
        ("soon,fail=3", 0, 3, True),
        ("soon,success=2", 1, 9, False),
        ("soon,success=2", 2, 0, True),
        ("soon,done=4", 2, 1, False),
        ("soon,done=4", 2, 2, True),
        ("now,fail=50%", 0, 2, False),
        ("now,fail=50%", 1, 2, True),
        ("now,fail=50%", 2, 1, False),
        ("now,fail=12.5%", 7, 1, True),
        ("now,success=100%", 3, 0, True),
        ("now,success=100%", 3, 1, False),
    ],
)
def test_a_rule_is_reached(rule: str, succeeded: int, failed: int, is_reached: bool) -> None:
    tally = Tally(succeeded=succeeded, failed=failed)

    assert parse_halt(rule).is_reached(tally) is is_reached


@pytest.mark.parametrize(("rule", "kills"), [("now,fail=1", True), ("soon,fail=1", False)])
def test_only_now_kills(rule: str, kills: bool) -> None:
    assert parse_halt(rule).kills is kills


def test_never_is_the_default_rule() -> None:
    assert parse_halt("never") == Halt()


@pytest.mark.parametrize(
    "rule", ["", "now", "fail=1", "now,fail", "now,fail=0", "now,fail=0%", "now,fail=1.5", "2"]
)
def test_what_is_no_rule_is_refused(rule: str) -> None:
    with pytest.raises(UsageError, match="no rule to halt"):
        parse_halt(rule)
