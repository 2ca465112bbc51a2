"""CPython's own tests of multiprocessing judge lightwork.multiprocessing, where a Python ships them."""

import os
import subprocess
from pathlib import Path

import pytest
from pythons import environment, interpreters

HERE = Path(__file__).parent
# In one run of its own: what takes seconds, so that several testers share the work.
PARTS = {
    "processes": (
        ("_TestProcess", "_TestSubclassingProcess"),
        ("_TestPool", "_TestPoolWorkerErrors", "_TestPoolWorkerLifetime"),
        ("_TestConnection", "_TestPoll"),
    ),
    "threads": (
        ("_TestProcess", "_TestPool", "_TestConnection", "_TestPoll"),
        (
            *("_TestQueue", "_TestLock", "_TestSemaphore", "_TestCondition", "_TestEvent"),
            "_TestBarrier",
        ),
    ),
}


def can_judge(python: str) -> bool:
    """Whether this Python runs, is new enough and ships the suite."""
    code = "import sys; assert sys.version_info >= (3, 13); import test._test_multiprocessing"
    return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def judge() -> str:
    for python in interpreters():
        if can_judge(python):
            return python
    pytest.skip("no Python here ships CPython's tests of multiprocessing (3.13 and later do)")


@pytest.mark.process
@pytest.mark.parametrize(
    ("kind", "classes"), [(kind, part) for kind, parts in PARTS.items() for part in parts]
)
def test_the_standard_library_finds_no_fault_with_our_processes(
    judge: str, kind: str, classes: tuple[str, ...], tmp_path: Path
) -> None:
    known = environment()
    # The fork server is to import the tests once, and not each child: 90 s instead of 15.
    known["PYTHONPATH"] += os.pathsep + str(HERE)
    done = subprocess.run(
        [judge, "-X", "faulthandler", str(HERE / "judge_multiprocessing.py"), kind, *classes],
        env=known,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    report = done.stdout + done.stderr
    assert done.returncode == 0, report[-6000:]
    assert "Ran 0 tests" not in report
