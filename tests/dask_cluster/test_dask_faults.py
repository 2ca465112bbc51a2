"""What becomes of calls when parts of a Dask cluster are lost."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import psutil
import pytest

import lightwork as lw
from dask_cluster import dask_calls as calls
from lightwork.dask.executor import DaskExecutor

pytestmark = pytest.mark.process

PATIENCE = 60


@dataclass
class Scheduler:
    """A scheduler that is a process of its own, with a worker."""

    process: subprocess.Popen[bytes]
    address: str

    @property
    def url(self) -> str:
        return self.address.replace("tcp://", "dask://")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduler]:
    folder = tmp_path_factory.mktemp("scheduler")
    told = folder / "scheduler.json"
    where = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(told)]
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", *where]
    command += ["--dashboard-address", "127.0.0.1:0"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-nanny", "--nthreads", "1"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with ExitStack() as opened:

        def start(command: list[str]) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(command, cwd=folder, env=env, stderr=subprocess.DEVNULL)
            opened.callback(process.wait)
            opened.callback(process.kill)
            return process

        process = start(command)
        _wait_for(lambda: told.exists() and told.read_text(encoding="utf-8"))
        start([*worker, *where])
        yield Scheduler(process, json.loads(told.read_text(encoding="utf-8"))["address"])


def _wait_for(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def begun(folder: Path) -> list[int]:
    """Wait until a call has begun; return the pids of the Dask workers on which any has."""
    _wait_for(lambda: list(folder.glob("*[0-9]")))
    return [int(place.read_text(encoding="utf-8")) for place in folder.glob("*[0-9]")]


def test_a_call_whose_dask_worker_is_killed_is_lost(executor: DaskExecutor, tmp_path: Path) -> None:
    future = executor.submit(calls.begin_and_wait, str(tmp_path))
    (worker,) = begun(tmp_path)

    os.kill(worker, signal.SIGKILL)

    assert isinstance(future.exception(PATIENCE), lw.WorkerLost)
    assert executor.submit(calls.square, 3).result(PATIENCE) == 9


def test_children_end_with_their_dask_worker(executor: DaskExecutor, tmp_path: Path) -> None:
    future = executor.submit(calls.begin_and_wait, str(tmp_path))
    (worker,) = begun(tmp_path)
    (child,) = [psutil.Process(int(place.name)) for place in tmp_path.glob("*[0-9]")]

    os.kill(worker, signal.SIGKILL)

    future.exception(PATIENCE)
    child.wait(PATIENCE)


def test_dask_runs_a_call_again_at_least_once(stubborn: DaskExecutor, tmp_path: Path) -> None:
    future = stubborn.submit(calls.wait_for_others, str(tmp_path))
    (worker,) = begun(tmp_path)

    os.kill(worker, signal.SIGKILL)

    assert future.result(PATIENCE) == 2


def test_a_call_that_is_not_idempotent_is_run_once(stubborn: DaskExecutor, tmp_path: Path) -> None:
    future = stubborn.submit(calls.once, str(tmp_path))
    (worker,) = begun(tmp_path)

    os.kill(worker, signal.SIGKILL)

    with pytest.raises(lw.WorkerLost, match="idempotent=False"):
        future.result(PATIENCE)
    assert len(begun(tmp_path)) == 1


def test_a_lost_scheduler_is_an_error_and_no_cancellation(
    scheduler: Scheduler, tmp_path: Path
) -> None:
    with DaskExecutor(scheduler.url) as executor:
        sent = [executor.submit(calls.begin_and_wait, str(tmp_path)) for _ in range(8)]
        begun(tmp_path)

        scheduler.kill()

        errors = [future.exception(PATIENCE) for future in sent]
        assert {type(error) for error in errors} == {lw.PoolError}
        assert "scheduler" in str(errors[0])
        with pytest.raises(lw.PoolError):
            executor.submit(calls.square, 2)


def test_a_scheduler_that_was_lost_while_nothing_ran_is_noticed(scheduler: Scheduler) -> None:
    with DaskExecutor(scheduler.url) as executor:
        executor.submit(calls.square, 2).result(PATIENCE)

        scheduler.kill()

        with pytest.raises(lw.PoolError):
            executor.submit(calls.square, 2).result(PATIENCE)


def test_where_no_scheduler_is_the_error_says_so() -> None:
    with pytest.raises(lw.PoolError, match="no Dask scheduler answers"):
        lw.executor("dask://127.0.0.1:1", timeout=0.2)


PROGRAM = """
    import lightwork as lw
    import psutil

    class Point:
        def __init__(self, x):
            self.x = x

    def double(point):
        return Point(2 * point.x)

    if __name__ == "__main__":
        with lw.executor("dask:2") as executor:
            point = executor.submit(double, Point(4)).result()
            print(type(point) is Point, point.x, executor._max_workers)
            me = psutil.Process()
            for one in (me, *me.children(recursive=True)):
                for seen in one.net_connections():
                    if seen.status == psutil.CONN_LISTEN:
                        print("listens", seen.laddr.ip)
"""


def test_a_program_has_a_cluster_of_its_own_which_nobody_else_reaches(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(dedent(PROGRAM), encoding="utf-8")

    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, timeout=100, check=False
    )

    first, *rest = done.stdout.splitlines()
    assert (done.returncode, first) == (0, "True 8 2"), done.stderr
    assert set(rest) == {"listens 127.0.0.1"}
    assert not done.stderr


HELD = """
    import os
    import lightwork as lw
    import psutil

    if __name__ == "__main__":
        executor = lw.executor("dask:1")
        print(executor.submit(pow, 2, 8).result())
        print(*[one.pid for one in psutil.Process().children(recursive=True)], flush=True)
        if "LIGHTWORK_TEST_WAITS" in os.environ:
            input()
"""


def test_a_program_that_never_shuts_down_ends(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(dedent(HELD), encoding="utf-8")

    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, timeout=100, check=False
    )

    assert (done.returncode, done.stdout.splitlines()[0], done.stderr) == (0, "256", "")


def test_what_a_program_has_started_ends_with_it(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(dedent(HELD), encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, str(program)],
        env={**os.environ, "LIGHTWORK_TEST_WAITS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        assert running.stdout is not None
        running.stdout.readline()
        pids = [int(pid) for pid in running.stdout.readline().split()]

        running.kill()

        # Dask's workers, our fork servers, the children of both.
        assert len(pids) > 2
        _wait_for(lambda: not any(map(psutil.pid_exists, pids)))
