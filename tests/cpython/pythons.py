"""Pythons: interpreters on this machine that may be newer than the one that runs the tests."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cloudpickle

SOURCES: Final = Path(__file__).parent.parent.parent / "src"
# What several folders of tests share.
TESTS: Final = Path(__file__).parent.parent
# Of all that lightwork needs, pools need cloudpickle alone, which is plain Python; so is pytest.
PACKAGES: Final = Path(cloudpickle.__file__).parent.parent
# What `make test` makes for a newer Python, where there is one.
JUDGE: Final = Path(sys.prefix) / "judge"
# What is compiled of a store, and of its server: each Python needs its own.
COMPILED: Final = "import msgspec, sqlalchemy, httptools, uvicorn, importlib.metadata as m; m.version('lightwork')"
_SUITE: Final = "test.test_concurrent_futures.util, test.test_concurrent_futures.executor"


def can_judge(python: str, more: str = "") -> bool:
    """Whether this Python runs, is new enough and ships the suite, and can import more."""
    code = f"import sys; assert sys.version_info >= (3, 13); import {_SUITE}; {more}"
    try:
        return not subprocess.run([python, "-c", code], capture_output=True, check=False).returncode
    except OSError:
        return False


def interpreters() -> Iterator[str]:
    """Yield Pythons that may be new enough, the one that runs this first."""
    yield sys.executable
    if named := os.environ.get("LIGHTWORK_JUDGE_PYTHON"):
        yield named
    yield str(JUDGE / "bin/python")
    for name in ("python3.14", "python3.13"):
        if found := shutil.which(name):
            yield found
    for versions in (os.environ.get("PYENV_ROOT", ""), str(Path.home() / ".pyenv")):
        yield from map(
            str, sorted(Path(versions).glob("versions/3.1[3-9]*/bin/python"), reverse=True)
        )


def environment(*, has_packages: bool = True, **more: str) -> dict[str, str]:
    """Return the environment in which another Python finds lightwork and what its pools need.

    Args:
        has_packages: What this Python has installed, for one that has nothing.
        more: Further variables.
    """
    path = os.pathsep.join(map(str, (SOURCES, TESTS, *[PACKAGES] * has_packages)))
    return {**os.environ, "PYTHONPATH": path, **more}
