"""Programs whose main thread has ended while calls run on, and others that begin oddly."""

from pathlib import Path

import pytest
from feature_calls import run_program

pytestmark = pytest.mark.process


# Both programs wait until their main thread has ended, which only a look can tell.
IS_OVER = """
import threading, time

def wait_for_the_end_of_main():
    while not threading._SHUTTING_DOWN:
        time.sleep(0.001)
"""


def test_errors_of_children_arrive_after_the_main_thread_has_ended(tmp_path: Path) -> None:
    done = run_program(
        IS_OVER
        + """
import os, pathlib, sys
import lightwork as lw
import calls

def die(gate):
    calls.wait_for(gate, 0)
    os._exit(3)

def fail(gate):
    int("x" * (1 + calls.wait_for(gate, 0)))

def report():
    wait_for_the_end_of_main()
    pathlib.Path(sys.argv[1]).touch()
    print(*[type(future.exception(60)).__name__ for future in futures])

executor = lw.executor("processes:2")
futures = [executor.submit(call, sys.argv[1]) for call in (die, fail)]
threading.Thread(target=report).start()
""",
        str(tmp_path / "gate"),
    )

    assert (done.stdout, done.stderr) == ("WorkerLost ValueError\n", "")


def test_a_call_that_outlives_the_main_thread_may_make_the_first_process_pool() -> None:
    done = run_program(
        IS_OVER
        + """
import lightwork as lw

def sum_in_a_child():
    wait_for_the_end_of_main()
    with lw.executor("processes:1") as inner:
        return inner.submit(sum, [1, 2, 3]).result(60)

executor = lw.executor("threads:2")
executor.submit(sum_in_a_child).add_done_callback(lambda done: print(done.result()))
"""
    )

    assert (done.stdout, done.stderr) == ("6\n", "")


def test_a_fork_server_that_can_never_start_is_said_by_a_pool_error() -> None:
    done = run_program(
        """
        import os
        import lightwork as lw
        os.environ["PYTHONHOME"] = "/nonexistent"
        executor = lw.ProcessExecutor(1)
        print(type(executor.submit(max, 1, 2).exception(60)).__name__)
        """
    )

    assert done.stdout == "PoolError\n"


def test_what_is_no_text_in_the_path_of_modules_is_ignored_as_python_ignores_it() -> None:
    done = run_program(
        """
        import pathlib, sys
        sys.path.insert(0, pathlib.Path("/nonexistent"))
        import lightwork as lw
        with lw.executor("processes:1") as executor:
            print(executor.submit(max, 1, 2).result(60))
        """
    )

    assert (done.stdout, done.stderr) == ("2\n", "")


def test_a_program_that_has_blocked_the_signal_of_dead_children_has_pools() -> None:
    done = run_program(
        """
        import os, signal
        import lightwork as lw
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        with lw.executor("processes:2") as executor:
            print(type(executor.submit(os._exit, 1).exception(60)).__name__)
            blocked = executor.submit(signal.pthread_sigmask, signal.SIG_BLOCK, []).result(60)
            print(blocked == {signal.SIGCHLD})
        """
    )

    assert (done.stdout, done.stderr) == ("WorkerLost\nTrue\n", "")
