"""Schedules of a program that runs workers of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
import time

import lightwork as lw


@lw.task(schedule="every 1s")
def tick():
    due_at = lw.current().due_at
    return due_at.timestamp() if due_at else None


if __name__ == "__main__":
    with lw.executor(sys.argv[1], workers=1) as ex:
        deadline = time.monotonic() + 60
        done = []
        while not done and time.monotonic() < deadline:
            time.sleep(0.02)
            done = ex.store.jobs(state=lw.State.SUCCEEDED, task=tick.name)
        (view,) = ex.store.schedules()
        print(view.name, view.origin)
        print(done[-1].due_at.timestamp() == ex.future(done[-1].id).result())
"""


def start(folder: Path, name: str) -> list[str]:
    """Run a script that declares a task of this name until one job of it has run."""
    (folder / "ticking.py").write_text(SCRIPT.replace("tick", name))
    done = subprocess.run(
        [sys.executable, "ticking.py", f"sqlite:///{folder}/work.db"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.process
def test_a_program_with_workers_keeps_and_meets_the_schedules_of_its_script(
    tmp_path: Path,
) -> None:
    printed = start(tmp_path, "tick")

    assert printed == [f"ticking:tick@{tmp_path.resolve()}/ticking.py code", "True"]


@pytest.mark.process
def test_what_a_script_does_not_declare_any_more_is_forgotten(tmp_path: Path) -> None:
    start(tmp_path, "tick")

    printed = start(tmp_path, "tock")

    # There is one schedule, not two.
    assert printed == [f"ticking:tock@{tmp_path.resolve()}/ticking.py code", "True"]
