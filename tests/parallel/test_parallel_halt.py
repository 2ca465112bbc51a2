"""When a map stops early, and its exit status: that of GNU parallel 20221122 for the same jobs."""

import pytest

from lightwork.errors import UsageError
from lightwork.parallel.halt import NEVER, Halt, Tally, exit_status, parse_halt
from lightwork.parallel.jobs import End, MapJob, Output


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


def failure(status: int, signal: int = 0) -> End:
    return End(
        job=MapJob(1, ("a",)),
        command="exit",
        status=status,
        signal=signal,
        started_at=0,
        seconds=0,
        stdout=Output(),
        stderr=Output(),
    )


@pytest.mark.parametrize(
    ("failed", "status"), [(0, 0), (1, 1), (100, 100), (101, 101), (5000, 101)]
)
def test_failed_jobs_are_counted(failed: int, status: int) -> None:
    assert exit_status(Tally(succeeded=3, failed=failed), NEVER, failure(7)) == status


@pytest.mark.parametrize(
    ("rule", "tally", "status"),
    [
        ("now,fail=1", Tally(failed=1), 7),
        ("soon,fail=2", Tally(failed=2), 2),
        ("now,success=1", Tally(succeeded=1, failed=1), 0),
        ("now,done=2", Tally(succeeded=1, failed=1), 1),
        ("soon,fail=50%", Tally(succeeded=2, failed=3), 60),
    ],
)
def test_a_rule_to_halt_has_a_status_of_its_own(rule: str, tally: Tally, status: int) -> None:
    assert exit_status(tally, parse_halt(rule), failure(7)) == status


def test_a_signal_is_told_as_shells_do() -> None:
    status = exit_status(Tally(failed=1), parse_halt("now,fail=1"), failure(-1, signal=9))

    assert status == 137
