"""Lightwork's files change under a program that runs: no child runs old and new code mixed."""

import shutil
from pathlib import Path

import pytest
from programs import SRC, finish, run_program

pytestmark = pytest.mark.process

PROGRAM = """
import os, sys
from pathlib import Path
copy = Path(sys.argv[1])
sys.path.insert(0, str(copy))
import lightwork as lw
from lightwork.pool.link import launch
import tasks_of_mine
with lw.executor("processes:1") as ex:
    print(ex.submit(abs, -1).result(60))
    # What a child has not imported yet.
    new = copy / "lightwork" / "retry.py"
    new.write_text(new.read_text() + "raise TypeError('this is of another version')")
    print(ex.submit(abs, -2).result(60))
    print(repr(ex.submit(tasks_of_mine.square, 3).exception(60)))
    # Now it has imported some of it, whatever is asked next.
    print(repr(ex.submit(abs, -3).exception(60)))
server = launch._server
os.kill(server.pid, 9)
os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
try:
    lw.executor("processes:1")
except lw.PoolError as error:
    print(repr(error))
"""
MINE = """
import lightwork as lw

@lw.task
def square(n):
    return n * n
"""


def test_a_call_that_needs_other_code_than_its_program_has_is_told_so(tmp_path: Path) -> None:
    shutil.copytree(SRC / "lightwork", tmp_path / "lightwork")
    (tmp_path / "tasks_of_mine.py").write_text(MINE)

    output, errors = finish(run_program(PROGRAM, tmp_path), within=90)

    told = [line for line in output.splitlines() if "start the program again" in line]
    assert errors == ""
    assert output.splitlines()[:2] == ["1", "2"]
    assert len(told) == 3, output
    assert all(line.startswith("PoolError(") and str(tmp_path) in line for line in told)
