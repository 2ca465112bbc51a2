"""CPython's own tests of concurrent.futures judge our executors, where a Python ships them."""

import subprocess
from pathlib import Path

import pytest
from pythons import COMPILED, can_judge, environment, interpreters

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def judge() -> str:
    for python in interpreters():
        if can_judge(python):
            return python
    pytest.skip("no Python here ships CPython's tests of concurrent.futures (3.13 and later do)")


@pytest.mark.process
@pytest.mark.parametrize("kind", ["Thread", "Process", "Interpreter", "Dask"])
def test_the_standard_library_finds_no_fault(judge: str, kind: str) -> None:
    if kind == "Dask":
        # All that is compiled of what it needs runs without, or on any Python.
        pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    done = subprocess.run(
        [judge, "-X", "faulthandler", str(HERE / "judge.py"), kind],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    report = done.stdout + done.stderr
    assert done.returncode == 0, report[-6000:]
    assert "Ran 0 tests" not in report


@pytest.mark.process
# Each executor has a store, a server and children of its own: all at once would take two minutes.
@pytest.mark.parametrize("part", ["Executor", "Wait", "AsCompleted", "Shutdown"])
def test_the_standard_library_finds_no_fault_with_a_store_behind_a_server(part: str) -> None:
    judge = next((python for python in interpreters() if can_judge(python, COMPILED)), "")
    if not judge:
        pytest.skip(
            "no Python here ships CPython's tests of concurrent.futures (3.13 and later do) and has "
            "lightwork[server] installed; name one in LIGHTWORK_JUDGE_PYTHON"
        )
    done = subprocess.run(
        [judge, "-X", "faulthandler", str(HERE / "judge.py"), "Http", part],
        env=environment(has_packages=False),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    report = done.stdout + done.stderr
    assert done.returncode == 0, report[-6000:]
    assert "Ran 0 tests" not in report
    # Python 3.13 says so of files that fail as they are collected.
    assert "Exception ignored" not in report
