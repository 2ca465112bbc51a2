"""InterpreterExecutor: the running call, and how executors end."""

import gc
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import calls
import interpreter_calls as inside
import pytest

from lightwork.errors import PoolError, UsageError
from lightwork.pool.call.options import CallOptions
from lightwork.pool.open_pool import open_pool
from lightwork.pool.thread.interpreter import InterpreterExecutor
from lightwork.pool.thread.subinterpreter import why_no_interpreters
from waiting import wait_until

if reason := why_no_interpreters():
    pytest.skip(reason, allow_module_level=True)


@pytest.fixture
def single() -> Iterator[InterpreterExecutor]:
    with InterpreterExecutor(1) as made:
        yield made


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


def open_fds() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counted, not walked


# The running call


def test_current_names_the_thread() -> None:
    with InterpreterExecutor(1, "painter") as executor:
        assert executor.submit(calls.report, 0).result(60) == "painter_0"


def test_progress_arrives_before_the_result(single: InterpreterExecutor) -> None:
    seen: list[tuple[float, str]] = []
    options = CallOptions(on_progress=lambda progress: seen.append((progress.done, progress.note)))

    single.start_call(calls.report, (3,), {}, options).result(60)

    assert seen == [(1, "step 1"), (2, "step 2"), (3, "step 3")]


def test_a_thread_of_the_call_may_report_progress(single: InterpreterExecutor) -> None:
    seen: list[float] = []
    options = CallOptions(on_progress=lambda progress: seen.append(progress.done))

    single.start_call(inside.report_in_a_thread, (7,), {}, options).result(60)

    assert seen == [7]


def test_progress_that_nobody_hears_is_free(single: InterpreterExecutor) -> None:
    assert single.submit(calls.report, 3).result(60) == f"{single._prefix}_0"


def test_a_running_call_is_asked_to_stop(single: InterpreterExecutor, tmp_path: Path) -> None:
    path = tmp_path / "began"
    future = single.submit(calls.mark_and_wait_until_cancelled, str(path))
    wait_until(path.exists, "the call runs")

    assert not future.cancel(running="kill")

    assert future.result(60) == "stopped"


def test_a_late_request_to_stop_does_not_reach_the_next_call(single: InterpreterExecutor) -> None:
    first = single.submit(pow, 2, 2)
    first.result(60)
    first.cancel(running="ask")

    assert single.submit(inside.is_cancelled).result(60) is False


def test_a_call_past_its_deadline_fails_and_is_asked_to_stop(
    single: InterpreterExecutor, tmp_path: Path
) -> None:
    path = tmp_path / "began"
    options = CallOptions(timeout=0.1)

    future = single.start_call(calls.mark_and_wait_until_cancelled, (str(path),), {}, options)

    assert isinstance(future.exception(60), TimeoutError)
    assert single.submit(pow, 2, 2).result(60) == 4


def test_higher_priority_starts_first(single: InterpreterExecutor, tmp_path: Path) -> None:
    go, order = tmp_path / "go", []
    single.submit(calls.wait_for, str(go))

    futures = [single.start_call(pow, (n, 1), {}, CallOptions(priority=n)) for n in (1, 3, 2)]
    for future in futures:
        future.add_done_callback(lambda done: order.append(done.result()))
    go.touch()
    single.shutdown()

    assert order == [3, 2, 1]


# Its life


def test_a_loop_that_ends_costs_one_call_at_most(single: InterpreterExecutor) -> None:
    before = single.submit(inside.which).result(60)
    single.submit(inside.break_the_loop).result(60)

    lost = single.submit(inside.which).exception(60)
    after = single.submit(inside.count_here).result(60)

    # The loop may already have ended when the next call comes: then nothing is lost.
    assert lost is None or (isinstance(lost, PoolError) and "TypeError" in str(lost))
    assert after == 1
    assert before


def test_nothing_is_left_after_shutdown() -> None:
    with InterpreterExecutor(1) as executor:
        executor.submit(pow, 2, 2).result(60)
    fds, threads = open_fds(), threading.active_count()

    for _ in range(3):
        with InterpreterExecutor(2) as executor:
            assert list(executor.map(calls.double, range(10))) == list(range(0, 20, 2))

    assert open_fds() == fds
    assert threading.active_count() == threads


def test_nothing_is_left_after_a_failed_initializer() -> None:
    fds, threads = open_fds(), threading.active_count()

    with InterpreterExecutor(1, initializer=calls.set_up_badly) as executor:
        executor.submit(pow, 2, 2).exception(60)

    assert open_fds() == fds
    assert threading.active_count() == threads


def test_shutdown_may_cancel_what_has_not_started(
    single: InterpreterExecutor, tmp_path: Path
) -> None:
    began, go = tmp_path / "began", tmp_path / "go"
    running = single.submit(calls.mark_and_wait_for, str(began), str(go), "done")
    wait_until(began.exists, "the call runs")
    waiting = single.submit(pow, 2, 2)

    single.shutdown(wait=False, cancel_futures=True)
    go.touch()

    assert waiting.cancelled()
    assert running.result(60) == "done"


def test_nothing_can_be_submitted_after_shutdown(single: InterpreterExecutor) -> None:
    single.shutdown()

    with pytest.raises(RuntimeError, match="after shutdown"):
        single.submit(pow, 2, 2)


def test_a_dropped_executor_ends_its_threads() -> None:
    executor = InterpreterExecutor(1)
    executor.submit(pow, 2, 2).result(60)
    (thread,) = executor._threads

    del executor
    gc.collect()

    wait_until(lambda: not thread.is_alive(), "its thread has ended")


def test_the_program_waits_for_calls_at_its_end() -> None:
    told = run_script("""
        import time
        from lightwork.pool.thread.interpreter import InterpreterExecutor

        executor = InterpreterExecutor(1)
        for text in ("first", "second"):
            executor.submit(print, text)
    """)

    assert told.split() == ["first", "second"]


def test_what_the_main_script_defines_can_be_called() -> None:
    told = run_script("""
        from lightwork.pool.thread.interpreter import InterpreterExecutor

        class Pair:
            def __init__(self, left, right):
                self.left, self.right = left, right

        def swap(pair):
            return Pair(pair.right, pair.left)

        with InterpreterExecutor(1) as executor:
            swapped = executor.submit(swap, Pair(1, 2)).result(60)
            print(isinstance(swapped, Pair), swapped.left)
    """)

    assert told.split() == ["True", "2"]


def test_words_open_it() -> None:
    with open_pool("interpreters:1") as executor:
        assert isinstance(executor, InterpreterExecutor)
        assert executor._max_workers == 1


@pytest.mark.parametrize("count", [0, -1, "two"])
def test_without_workers_there_is_no_executor(count: int) -> None:
    with pytest.raises(UsageError):
        InterpreterExecutor(count)
