"""Who a child is and what it finds: environment, multiprocessing, atexit, depth."""

import os
import subprocess
import sys
from pathlib import Path

import child_calls
import pytest
from programs import SRC

from lightwork.pool.process.executor import ProcessExecutor

pytestmark = pytest.mark.process

WAIT = 60
NAMES = ("LW_CHANGED", "LW_ADDED", "LW_REMOVED")
# Makes a pool while it is imported, which its children do too.
BOMB = """
import sys
sys.path[:0] = [{src!r}, {folder!r}]
import lightwork as lw

def one():
    return 1

pool = lw.ProcessExecutor(1)
pool.submit(one).result()
"""


def test_a_new_executor_sees_the_environment_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LW_CHANGED", "old")
    monkeypatch.setenv("LW_REMOVED", "old")
    with ProcessExecutor(1) as pool:
        before = pool.submit(child_calls.variables, *NAMES).result(WAIT)
        monkeypatch.setenv("LW_CHANGED", "new")
        monkeypatch.setenv("LW_ADDED", "new")
        monkeypatch.delenv("LW_REMOVED")

        with ProcessExecutor(1) as later:
            after = later.submit(child_calls.variables, *NAMES).result(WAIT)

    assert before == ["old", None, "old"]
    assert after == ["new", "new", None]


def test_a_child_has_the_whole_environment_of_its_program() -> None:
    with ProcessExecutor(1, blas_threads=None, env={"LW_ADDED": "mine"}) as pool:
        found = pool.submit(child_calls.variables, *os.environ, "LW_ADDED").result(WAIT)

    assert found == [*os.environ.values(), "mine"]


def test_a_child_keeps_the_time_of_its_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "XYZ-3")

    with ProcessExecutor(1) as pool:
        assert pool.submit(child_calls.zone).result(WAIT) == "XYZ"


@pytest.mark.parametrize("preload", [False, True])
def test_multiprocessing_knows_that_a_child_is_no_main_program(preload: bool) -> None:
    hooks = {"initializer": __import__, "initargs": ("multiprocessing.process",)} if preload else {}

    with ProcessExecutor(1, name="ada", **hooks) as pool:  # type: ignore[arg-type]
        name, pid, parent, parent_name, is_alive = pool.submit(child_calls.who).result(WAIT)
        again = pool.submit(child_calls.who).result(WAIT)

    assert (name, parent, parent_name, is_alive) == ("ada-1", os.getpid(), "MainProcess", True)
    assert again == (name, pid, parent, parent_name, is_alive)
    assert pid != os.getpid()


def test_a_call_may_use_processes_of_multiprocessing(single: ProcessExecutor) -> None:
    assert single.submit(child_calls.use_processes).result(WAIT) == 0


def test_functions_of_atexit_run_when_a_child_ends(tmp_path: Path) -> None:
    with ProcessExecutor(1) as pool:
        pool.submit(child_calls.write_at_exit, str(tmp_path / "note")).result(WAIT)

    assert (tmp_path / "note").read_text() == "ended"


def test_a_module_that_makes_a_pool_while_it_is_imported_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "bomb.py").write_text(BOMB.format(src=str(SRC), folder=str(tmp_path)))

    ended = subprocess.run(
        [sys.executable, "-c", "import bomb"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ended.returncode == 1
    *_, last = ended.stderr.splitlines()
    assert "10 deep: most likely a module makes one while it is imported" in last
    assert "fork_server_lost" not in ended.stderr
