"""CPython's own tests of concurrent.futures judge our executors, where a Python ships them."""

import subprocess
from pathlib import Path

import pytest
from pythons import environment, interpreters

HERE = Path(__file__).parent
PACKAGE = "import test.test_concurrent_futures.util, test.test_concurrent_futures.executor"


# What is compiled of a store, and of its server: each Python needs its own.
COMPILED = "import msgspec, sqlalchemy, httptools, uvicorn, importlib.metadata as m; m.version('lightwork')"


def can_judge(python: str, more: str = "") -> bool:
    """Whether this Python runs, is new enough and ships the suite, and can import more."""
    code = f"import sys; assert sys.version_info >= (3, 13); {PACKAGE}; {more}"
    return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0


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
