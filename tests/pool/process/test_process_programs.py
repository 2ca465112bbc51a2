"""Whole programs with pools: how they end, and what is left of them."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from programs import finish, is_alive, lines, run_program

from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 30


def test_a_program_that_does_not_wait_for_its_pool_ends_after_its_calls(tmp_path: Path) -> None:
    program = run_program(
        """
        import calls
        from lightwork.pool.process.executor import ProcessExecutor
        pool = ProcessExecutor(2)
        for _ in range(4):
            pool.submit(calls.mark_and_sleep, sys.argv[1], 0.1)
        pool.shutdown(wait=False)
        """,
        tmp_path / "here",
    )

    assert finish(program) == ("", "")
    assert program.returncode == 0
    assert len(lines(tmp_path / "here")) == 4


def test_a_program_that_never_shuts_down_ends_after_its_calls(tmp_path: Path) -> None:
    program = run_program(
        """
        import calls
        from lightwork.pool.process.executor import ProcessExecutor
        pool = ProcessExecutor(2)
        for _ in range(4):
            pool.submit(calls.mark_and_sleep, sys.argv[1], 0.1)
        """,
        tmp_path / "here",
    )

    assert finish(program) == ("", "")
    assert len(lines(tmp_path / "here")) == 4


def test_functions_of_the_main_program_run_without_a_guard() -> None:
    program = run_program(
        """
        from dataclasses import dataclass
        from lightwork.pool.process.executor import ProcessExecutor

        @dataclass
        class Point:
            x: int

        def move(point: Point) -> Point:
            return Point(point.x + 1)

        pool = ProcessExecutor(2)
        print(pool.submit(move, Point(1)).result() == Point(2))
        """
    )

    assert finish(program) == ("True\n", "")


def test_submitting_after_a_fork_says_what_to_do() -> None:
    program = run_program(
        """
        import os, warnings, calls
        warnings.simplefilter("ignore")
        from lightwork.pool.process.executor import ProcessExecutor
        pool = ProcessExecutor(1)
        pool.submit(calls.double, 1).result()
        if os.fork() == 0:
            try:
                pool.submit(calls.double, 1)
            except RuntimeError as error:
                print("refused:", error, flush=True)
            with ProcessExecutor(1) as own:
                print("own:", own.submit(calls.double, 4).result(), flush=True)
            sys.exit(0)
        os.wait()
        print("parent:", pool.submit(calls.double, 2).result(), flush=True)
        pool.shutdown()
        """
    )

    out, err = finish(program)

    assert err == ""
    assert "refused: this executor belongs to process" in out
    assert "a forked process must create one of its own" in out
    assert out.endswith("own: 8\nparent: 4\n")


def test_too_few_descriptors_give_a_clear_error_or_fewer_children() -> None:
    program = run_program(
        """
        import os, resource, calls
        from concurrent import futures
        from lightwork.errors import PoolError
        from lightwork.pool.process.executor import ProcessExecutor
        with ProcessExecutor(1) as warm:
            warm.submit(calls.double, 1).result()
        def descriptors():
            found = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
            return {(path, os.readlink(path)) for path in found if os.path.lexists(path)}
        free = os.dup(0)
        os.close(free)
        for spare in range(6, 60):
            before = descriptors()
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            try:
                pool = ProcessExecutor(8)
            except OSError:
                continue
            resource.setrlimit(resource.RLIMIT_NOFILE, (free + spare, hard))
            found = [pool.submit(calls.sleep, 0.001, n) for n in range(30)]
            assert not futures.wait(found, timeout=20).not_done, spare
            kinds = {type(future.exception()) for future in found}
            pool.shutdown()
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            assert kinds <= {type(None), PoolError}, kinds
            assert descriptors() == before, (spare, before, descriptors())
            seen = kinds if spare == 6 else seen | kinds
        print(sorted(kind.__name__ for kind in seen))
        """
    )

    out, err = finish(program, within=60)

    assert out == "['NoneType', 'PoolError']\n"
    # Whoever gets fewer children than he wanted should know.
    assert err
    assert all(line.startswith("child_refused children=") for line in err.splitlines())


BUSY = """
    import calls, threading, time
    from lightwork.pool.process.executor import ProcessExecutor
    with ProcessExecutor(3) as pool:
        pool.submit(calls.start_program, sys.argv[1] + ".program")
        found = [pool.submit(calls.mark_and_sleep, sys.argv[1], 1000) for _ in range(2)]
        print("ready", flush=True)
        found[0].result()
"""


def start_busy_program(path: Path, **options: object) -> tuple["subprocess.Popen[str]", list[int]]:
    """Start a program with three busy children, one with a program of its own; list them all."""
    program = run_program(BUSY, path, **options)
    told = Path(f"{path}.program")
    wait_until(lambda: len(lines(path)) == 2 and len(lines(told)) == 2, "all children are busy")
    pids = {int(pid) for pid in lines(path) + lines(told)}
    pids |= {process.pid for process in psutil.Process(program.pid).children(recursive=True)}
    return program, sorted(pids)


def test_no_process_is_left_two_seconds_after_the_parent_was_killed(tmp_path: Path) -> None:
    program, pids = start_busy_program(tmp_path / "pids")

    program.kill()
    finish(program)

    # The fork server, three children and the program that one of them started.
    assert len(pids) == 5
    wait_until(lambda: not any(map(is_alive, pids)), "all have ended", within=2)


def test_ctrl_c_ends_a_program_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    program, pids = start_busy_program(tmp_path / "pids", process_group=0)
    started = time.monotonic()

    os.killpg(program.pid, signal.SIGINT)
    _, err = finish(program)

    assert time.monotonic() - started < 2
    assert err.count("Traceback") == 1
    assert re.search(r"KeyboardInterrupt\s*$", err)
    wait_until(lambda: not any(map(is_alive, pids)), "all have ended", within=2)


UNGUARDED = """
import sys, time, calls
from lightwork.pool.process.executor import ProcessExecutor
pool = ProcessExecutor(2)
futures = [pool.submit(calls.mark_and_sleep, sys.argv[1], 600) for _ in range(4)]
"""


@pytest.mark.parametrize("waits", ["time.sleep(600)", "futures[0].result()", ""])
def test_ctrl_c_ends_a_program_that_never_shuts_down_at_once(waits: str, tmp_path: Path) -> None:
    path = tmp_path / "here"
    program = run_program(UNGUARDED + waits, path, process_group=0)
    wait_until(lambda: len(lines(path)) == 2, "two calls run")
    pids = [int(pid) for pid in lines(path)]

    os.kill(program.pid, signal.SIGINT)

    # Ten times what it takes, and far from ten minutes.
    _, said = finish(program, within=20)
    assert "KeyboardInterrupt" in said
    assert len(lines(path)) == 2
    wait_until(lambda: not any(is_alive(pid) for pid in pids), "its children are gone")


def test_real_interrupts_at_random_instants_leave_the_pools_usable() -> None:
    program = run_program(
        """
        import os, random, signal, threading, time, calls
        from lightwork.pool.process.executor import ProcessExecutor
        from lightwork.pool.thread.executor import ThreadExecutor

        is_inside = False

        def interrupt(number, frame):
            global is_inside
            if is_inside:
                is_inside = False
                raise KeyboardInterrupt

        signal.signal(signal.SIGINT, interrupt)
        chance = random.Random()
        told = threading.Event()

        def ring():
            while not told.wait(chance.random() * 0.002):
                os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=ring).start()
        hit = 0
        for pool in (ProcessExecutor(2), ThreadExecutor(2)):
            waiting = []
            end = time.monotonic() + 2
            while time.monotonic() < end:
                try:
                    is_inside = True
                    waiting.append(pool.submit(calls.double, 1))
                    waiting[-1].result()
                    is_inside = False
                except KeyboardInterrupt:
                    hit += 1
            waiting += [pool.submit(calls.double, 1) for _ in range(20)]
            print({future.result(20) for future in waiting})
            pool.shutdown()
        told.set()
        print(hit > 20)
        """
    )

    assert finish(program, within=60) == ("{2}\n{2}\nTrue\n", "")


def test_a_program_whose_folder_is_gone_has_pools(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    program = run_program(
        """
        import os
        from lightwork.pool.process.executor import ProcessExecutor
        os.chdir(sys.argv[1])
        os.rmdir(sys.argv[1])
        with ProcessExecutor(1) as pool:
            print(pool.submit(abs, -1).result())
        """,
        gone,
    )

    assert finish(program) == ("1\n", "")
