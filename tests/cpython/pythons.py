"""Pythons: interpreters on this machine that may be newer than the one that runs the tests."""

import os
import shutil
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


def interpreters() -> Iterator[str]:
    """Yield Pythons that may be new enough, the one that runs this first."""
    yield sys.executable
    if named := os.environ.get("LIGHTWORK_JUDGE_PYTHON"):
        yield named
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
