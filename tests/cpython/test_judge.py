"""CPython's own tests of concurrent.futures judge our executors, where a Python ships them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cloudpickle
import pytest

HERE = Path(__file__).parent
SOURCES = HERE.parent.parent / "src"
PACKAGE = "import test.test_concurrent_futures.util, test.test_concurrent_futures.executor"


def interpreters() -> Iterator[str]:
    """Yield Pythons that may be new enough, the one that runs this first."""
    yield sys.executable
    for name in ("python3.14", "python3.13"):
        if found := shutil.which(name):
            yield found
    for versions in (os.environ.get("PYENV_ROOT", ""), str(Path.home() / ".pyenv")):
        yield from map(
            str, sorted(Path(versions).glob("versions/3.1[3-9]*/bin/python"), reverse=True)
        )


def can_judge(python: str) -> bool:
    """Whether this Python runs, is new enough and ships the suite."""
    code = f"import sys; assert sys.version_info >= (3, 13); {PACKAGE}"
    return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def judge() -> str:
    for python in interpreters():
        if can_judge(python):
            return python
    pytest.skip("no Python here ships CPython's tests of concurrent.futures (3.13 and later do)")


@pytest.mark.process
@pytest.mark.parametrize("kind", ["Thread", "Process"])
def test_the_standard_library_finds_no_fault(judge: str, kind: str) -> None:
    # Of all that lightwork needs, pools need cloudpickle alone, which is plain Python.
    packages = Path(cloudpickle.__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": f"{SOURCES}{os.pathsep}{packages}"}

    done = subprocess.run(
        [judge, "-X", "faulthandler", str(HERE / "judge.py"), kind],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    report = done.stdout + done.stderr
    assert done.returncode == 0, report[-6000:]
    assert "Ran 0 tests" not in report
