"""The end of a ThreadExecutor, of its threads and of the interpreter."""

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import pytest

from lightwork.pool.thread.executor import ThreadExecutor


@pytest.fixture
def single() -> Iterator[ThreadExecutor]:
    with ThreadExecutor(1) as made:
        yield made


@pytest.fixture
def gate(single: ThreadExecutor) -> Iterator[threading.Event]:
    """The single thread is busy until this is set."""
    opened, entered = threading.Event(), threading.Event()

    def block() -> None:
        entered.set()
        opened.wait(20)

    single.submit(block)
    assert entered.wait(20)
    yield opened
    opened.set()


def run_script(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    )
    return done.stdout + done.stderr


# Shutdown


def test_nothing_can_be_submitted_after_shutdown() -> None:
    executor = ThreadExecutor(1)
    executor.shutdown()

    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        executor.submit(int)


def test_shutdown_waits_for_what_was_submitted(single: ThreadExecutor) -> None:
    calls = [single.submit(pow, n, 2) for n in range(100)]

    single.shutdown()

    assert all(future.done() for future in calls)


def test_shutdown_may_cancel_what_has_not_started(
    single: ThreadExecutor, gate: threading.Event
) -> None:
    calls = [single.submit(int) for _ in range(10)]

    single.shutdown(wait=False, cancel_futures=True)
    done, _ = futures.wait(calls, timeout=20)

    assert len(done) == 10
    assert all(future.cancelled() for future in calls)


def test_shutdown_twice_is_harmless(single: ThreadExecutor) -> None:
    single.submit(int).result(20)

    single.shutdown()
    single.shutdown()


def test_shutdown_ends_every_thread() -> None:
    with ThreadExecutor(3) as executor:
        barrier = threading.Barrier(3)
        futures.wait([executor.submit(barrier.wait, 20) for _ in range(3)])
        threads = set(executor._threads)

    assert [thread.is_alive() for thread in threads] == [False] * 3


def test_a_dropped_executor_ends_its_threads_after_its_calls() -> None:
    executor = ThreadExecutor(2)
    calls = [executor.submit(pow, n, 2) for n in range(20)]
    threads = set(executor._threads)

    del executor
    for thread in threads:
        thread.join(20)

    assert [future.result(0) for future in calls] == [n * n for n in range(20)]
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.process
def test_the_interpreter_waits_for_calls_at_its_end() -> None:
    output = run_script("""
        import threading, time
        from lightwork.pool.thread.executor import ThreadExecutor, _exit
        started = threading.Event()
        def work():
            started.set()
            while not _exit.has_begun:
                time.sleep(0.001)
            print("done")
        executor = ThreadExecutor(2)
        executor.submit(work)
        started.wait()
        executor.shutdown(wait=False)
    """)

    assert output == "done\n"


@pytest.mark.process
def test_nothing_can_be_submitted_when_the_interpreter_ends() -> None:
    output = run_script("""
        import atexit
        from lightwork.pool.thread.executor import ThreadExecutor
        executor = ThreadExecutor(1)
        executor.submit(int).result()
        @atexit.register
        def submit_late():
            try:
                executor.submit(int)
            except RuntimeError as error:
                print(error)
    """)

    assert output == "cannot schedule new futures after interpreter shutdown\n"


@pytest.mark.process
def test_a_forked_child_can_use_executors_of_its_own() -> None:
    output = run_script("""
        import os, warnings
        warnings.simplefilter("ignore")
        from lightwork.pool.thread.executor import ThreadExecutor
        parent = ThreadExecutor(1)
        parent.submit(int).result()
        if (pid := os.fork()) == 0:
            with ThreadExecutor(1) as executor:
                print(executor.submit(pow, 2, 8).result(), flush=True)
        else:
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """)

    assert output == "256\n0\n"


def test_awaiting_a_future_returns_its_result(single: ThreadExecutor) -> None:
    import asyncio

    async def main() -> int:
        return await single.submit(pow, 2, 8)

    assert asyncio.run(main()) == 256


@pytest.mark.parametrize("submit", [lambda ex: ex.submit(fn=int), lambda ex: ex.submit(a=1)])
def test_the_function_cannot_be_a_keyword(
    single: ThreadExecutor, submit: Callable[[Any], object]
) -> None:
    with pytest.raises(TypeError):
        submit(single)


def test_a_call_that_shuts_its_own_executor_down_does_not_wait_for_itself() -> None:
    executor = ThreadExecutor(2)

    executor.submit(executor.shutdown, wait=True).result(20)

    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(int)


def test_a_block_ends_whose_executor_is_the_default_of_its_event_loop() -> None:
    async def use() -> int:
        async with ThreadExecutor(2) as executor:
            asyncio.get_running_loop().set_default_executor(executor)
            return await asyncio.to_thread(sum, [1, 2])

    assert asyncio.run(use()) == 3
