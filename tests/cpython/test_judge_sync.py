"""CPython's own tests of locks and queues judge ours, where a Python ships them: the oldest that we run on, and a new one."""

import subprocess
import sys
from pathlib import Path

import pytest
from pythons import environment, interpreters

JUDGE = Path(__file__).parent / "judge_sync.py"
# `shutdown` of queues, which we have on every Python, came with 3.13. What of ours is not plain Python can
# only be loaded by the Python that runs this.
THIS, NEW = sys.version_info[:2], (3, 13)
PROBE = "import sys, test.lock_tests, test.test_queue; assert sys.version_info >= {}"


def find_judge(version: tuple[int, int]) -> str:
    """Return a Python of this version or later that ships the suites; "" if there is none."""
    for python in interpreters():
        probe = [python, "-c", PROBE.format(version)]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return python
    return ""


# Through a store each step is a commit, and some disks take a while: in runs of their own.
AT_A_STORE = [
    ("LockTests", "RLockTests", "ConditionAsRLockTests"),
    ("ConditionTests",),
    ("SemaphoreTests", "BoundedSemaphoreTests"),
    ("EventTests", "QueueTests", "SimpleQueueTests"),
    ("BarrierTests",),
]


@pytest.mark.process
@pytest.mark.parametrize(
    ("where", "version", "classes"),
    [
        ("threads", THIS, ()),
        ("threads", NEW, ()),
        ("processes", THIS, ()),
        *(("sqlite:///{}/work.db", THIS, classes) for classes in AT_A_STORE),
    ],
)
def test_the_standard_library_finds_no_fault_in_locks_and_queues(
    where: str, version: tuple[int, int], classes: tuple[str, ...], tmp_path: Path
) -> None:
    judge = find_judge(version)
    if not judge:
        pytest.skip(f"no Python here of {version} or later ships CPython's tests of locks")
    done = subprocess.run(
        [judge, "-X", "faulthandler", str(JUDGE), where.format(tmp_path), *classes],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )

    report = done.stdout + done.stderr
    assert done.returncode == 0, report[-6000:]
    assert "Ran 0 tests" not in report
