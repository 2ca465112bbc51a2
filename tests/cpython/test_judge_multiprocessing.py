"""CPython's own tests of multiprocessing judge lightwork.multiprocessing, where a Python ships them.

`make test` runs each part once: processes and pools by the newest Python that is there, what lives at the
broker by one that has the packages which that needs. `make judges` runs all of them also with `spawn`.
"""

import os
import subprocess
from pathlib import Path

import pytest
from pythons import environment, interpreters

HERE = Path(__file__).parent
# In one run of its own: what takes seconds, so that several testers share the work.
PLAIN = [
    ("processes", ("_TestProcess", "_TestSubclassingProcess")),
    ("processes", ("_TestPool", "_TestPoolWorkerErrors", "_TestPoolWorkerLifetime")),
    ("processes", ("_TestConnection", "_TestPoll")),
    ("managers", ()),
    ("threads", ("_TestProcess", "_TestPool", "_TestConnection", "_TestPoll")),
    ("threads", ("_TestQueue", "_TestLock", "_TestSemaphore", "_TestEvent", "_TestBarrier")),
    ("threads", ("_TestCondition",)),
]
AT_THE_BROKER = [
    ("processes", ("_TestQueue", "_TestLock", "_TestSemaphore", "_TestEvent")),
    ("processes", ("_TestCondition", "_TestValue", "_TestArray")),
    ("processes", ("_TestBarrier",)),
]
METHODS = ["forkserver", "spawn"] if os.environ.get("LIGHTWORK_JUDGES") == "all" else ["forkserver"]


def judge_with(condition: str) -> str:
    """Return a Python that ships the tests and for which this holds."""
    code = f"import sys; import test._test_multiprocessing; {condition}"
    for python in interpreters():
        done = subprocess.run(
            [python, "-c", code], env=environment(), capture_output=True, check=False
        )
        if done.returncode == 0:
            return python
    pytest.skip("no Python here ships CPython's tests of multiprocessing (3.13 and later do)")


@pytest.fixture(scope="module")
def newest() -> str:
    return judge_with("assert sys.version_info >= (3, 13)")


@pytest.fixture(scope="module")
def with_packages() -> str:
    return judge_with("import lightwork.sync.broker.client")


@pytest.mark.process
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("kind", "classes"), PLAIN)
def test_the_standard_library_finds_no_fault_with_our_processes(
    newest: str, kind: str, classes: tuple[str, ...], method: str, tmp_path: Path
) -> None:
    check(newest, kind, classes, method, tmp_path)


@pytest.mark.process
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("kind", "classes"), AT_THE_BROKER)
def test_the_standard_library_finds_no_fault_with_our_primitives(
    with_packages: str, kind: str, classes: tuple[str, ...], method: str, tmp_path: Path
) -> None:
    check(with_packages, kind, classes, method, tmp_path)


def check(python: str, kind: str, classes: tuple[str, ...], method: str, folder: Path) -> None:
    """Fail unless all is as expected."""
    known = environment(LIGHTWORK_START_METHOD=method)
    # The fork server is to import the tests once, and not each child: 90 s instead of 15.
    known["PYTHONPATH"] += os.pathsep + str(HERE)
    done = subprocess.run(
        [python, "-X", "faulthandler", str(HERE / "judge_multiprocessing.py"), kind, *classes],
        env=known,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    report = done.stdout + done.stderr
    assert done.returncode == 0, report[-6000:]
    assert "Ran 0 tests" not in report
