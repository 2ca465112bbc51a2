"""Exit statuses: those of GNU parallel 20221122 for the same jobs."""

import pytest

from lightwork.cli.parallel.halt import NEVER, Tally, parse_halt
from lightwork.cli.parallel.jobs import End, MapJob, Output
from lightwork.cli.parallel.status import exit_status


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
