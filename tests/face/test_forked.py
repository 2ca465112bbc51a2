"""What a child that was forked in the middle of a durable executor finds."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

SCRIPT = """
import asyncio, concurrent.futures, os, sys, threading
import lightwork as lw
from lightwork.errors import StoreError

@lw.task
def wait_for(path):
    while not os.path.exists(path):
        threading.Event().wait(0.005)
    return "let go"

def refused(call, *args):
    try:
        call(*args)
    except StoreError as error:
        return "before this process was forked" in str(error)

url, gate, workers = sys.argv[1:]
called = []
with lw.executor(url, workers=int(workers)) as ex:
    # Tasks of a script run only by its own workers.
    future = ex.submit(wait_for, gate)
    future.add_done_callback(lambda _: called.append(os.getpid()))
    results = ex.map(wait_for, [gate] * 2)
    child = os.fork()
    if child == 0:
        assert refused(future.result, 30)
        assert refused(next, results)
        assert refused(ex.submit, wait_for, gate)
        assert concurrent.futures.wait([future], 30).done == {future}
        ex.__exit__(None, None, None)
        if workers == "1":
            with lw.executor(url) as mine:
                assert not mine.future(future.job_id).done()
        assert called == []
        print("child is done", flush=True)
        # Ordinarily, with all that runs at the end of a program.
        sys.exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status
    open(gate, "w").close()
    if workers == "1":
        assert future.result(60) == "let go"
        assert list(results) == ["let go"] * 2
        assert called == [os.getpid()]
print("parent is done")
"""


@pytest.mark.parametrize("workers", [0, 1])
def test_a_forked_child_leaves_the_executor_and_its_futures_fail(
    tmp_path: Path, workers: int
) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    words = [sys.executable, "-W", "ignore", str(script), f"sqlite:///{tmp_path}/work.db"]

    done = subprocess.run(
        [*words, str(tmp_path / "gate"), str(workers)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("child is done\nparent is done\n", "")
