"""The tests of sub-interpreters, under a Python that has them, where there is one."""

import subprocess
from pathlib import Path

import pytest
from pythons import environment, interpreters

from lightwork.pool.thread.subinterpreter import why_no_interpreters

ROOT = Path(__file__).parent.parent.parent
FILES = [
    "tests/pool/thread/test_interpreters.py",
    "tests/pool/thread/test_interpreters_errors.py",
    "tests/pool/thread/test_interpreters_life.py",
]
PROBE = """
import pytest
from lightwork.pool.thread.subinterpreter import why_no_interpreters
raise SystemExit(bool(why_no_interpreters()))
"""


def can_run(python: str) -> bool:
    """Whether this Python runs, has sub-interpreters and can import what the tests need."""
    done = subprocess.run(
        [python, "-c", PROBE], env=environment(), capture_output=True, check=False
    )
    return done.returncode == 0


@pytest.mark.process
@pytest.mark.skipif(why_no_interpreters() == "", reason="this Python runs these tests itself")
def test_sub_interpreters_work_where_they_are_offered() -> None:
    python = next(filter(can_run, interpreters()), "")
    if not python:
        pytest.skip("no Python here has sub-interpreters (CPython 3.13 and later have)")

    done = subprocess.run(
        # Not the settings of all tests: they need packages that only this Python can load.
        [python, "-m", "pytest", "-p", "no:cacheprovider", "--confcutdir=tests/pool", "-q", *FILES],
        cwd=ROOT,
        # No plugins: those of this Python may not fit the other.
        env=environment(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    report = done.stdout + done.stderr
    assert done.returncode == 0, report[-6000:]
    assert " passed" in report
    assert " skipped" not in report
