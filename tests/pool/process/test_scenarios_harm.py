"""What calls do to their own process: forks, threads, signals, descriptors, the stack."""

import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import big
import calls
import pytest
import scenario_calls

from lightwork.errors import WorkerLost
from lightwork.pool.call.options import CallOptions
from lightwork.pool.process.executor import ProcessExecutor
from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 30


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def is_healthy(pool: ProcessExecutor, count: int = 300) -> bool:
    found = [pool.submit(calls.double, n) for n in range(count)]
    return [future.result(WAIT) for future in found] == [2 * n for n in range(count)]


# --- forks


def test_a_fork_that_a_call_leaves_alive_delays_neither_answers_nor_deaths_nor_the_end(
    tmp_path: Path,
) -> None:
    go = tmp_path / "go"
    with ProcessExecutor(1) as pool:
        fork = pool.submit(scenario_calls.fork_and_live, str(go)).result(WAIT)
        assert is_healthy(pool)
        with pytest.raises(WorkerLost):
            pool.submit(calls.kill_myself).result(WAIT)
        assert is_healthy(pool)

    # The pool has ended although the fork still holds its pipes.
    os.kill(fork, 0)
    go.touch()


def test_a_fork_that_comes_back_from_the_call_ends_there(
    single: ProcessExecutor, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    found = [
        single.submit(scenario_calls.fork_and_return, str(here), n).result(WAIT) for n in range(20)
    ]

    assert found == list(range(20))
    assert is_healthy(single)
    wait_until(lambda: len(lines(here)) == 20, "every fork has run")


def test_a_fork_that_comes_back_with_a_large_result_overwrites_nothing(
    single: ProcessExecutor, tmp_path: Path
) -> None:
    here = str(tmp_path / "here")
    found = [
        single.submit(scenario_calls.fork_and_return, here, big.filled(n)).result(WAIT)
        for n in range(20)
    ]

    assert [big.values(array) for array in found] == [{n} for n in range(20)]  # type: ignore[arg-type]


def test_a_fork_that_comes_back_from_a_coroutine_ends_there(
    single: ProcessExecutor, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    for n in range(10):
        future: Any = single.submit(scenario_calls.fork_and_return_later, str(here), n)
        assert future.result(WAIT) == n

    assert is_healthy(single)
    wait_until(lambda: len(lines(here)) == 10, "every fork has run")


def test_a_fork_that_comes_back_from_an_item_runs_no_other(
    single: ProcessExecutor, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    # Without a known length, so that many short items travel together.
    given = ((str(here), n, 2000 <= n < 2006) for n in range(3000))

    found = list(single.map(scenario_calls.fork_or_not, given, chunksize=1))

    assert found == list(range(3000))
    wait_until(lambda: len(lines(here)) >= 6, "every fork has run")
    assert is_healthy(single)
    assert len(lines(here)) == 6


def test_what_a_fork_reports_reaches_nobody_and_harms_nothing(single: ProcessExecutor) -> None:
    heard: list[object] = []
    options = CallOptions(on_progress=heard.append)

    future = single.start_call(scenario_calls.fork_and_report, (), {}, options)

    assert future.result(WAIT) == "done"
    assert heard == []
    # A death now is blamed on the call that runs, by what the page says.
    assert isinstance(single.submit(calls.kill_myself).exception(WAIT), WorkerLost)
    assert is_healthy(single)


# --- threads


def test_a_thread_that_reports_after_its_call_harms_no_other(
    single: ProcessExecutor, tmp_path: Path
) -> None:
    stop = tmp_path / "stop"
    single.submit(scenario_calls.leave_reporting_thread, str(stop)).result(WAIT)

    assert all(is_healthy(single) for _ in range(10))
    stop.touch()


@pytest.mark.parametrize(
    "call", [scenario_calls.report_from_threads, scenario_calls.report_from_thread_beside]
)
@pytest.mark.parametrize("logs", [False, True])
def test_reports_from_several_threads_all_arrive(call: Any, logs: bool) -> None:
    heard: list[object] = []
    options = CallOptions(on_progress=heard.append)
    with ProcessExecutor(1, logs=logs) as pool:
        future = pool.start_call(call, (200,), {}, options)
        assert future.result(WAIT) == "done"

        assert is_healthy(pool)

    assert heard


# --- signals, descriptors, stack


def test_a_call_that_changes_what_signals_do_leaves_a_child_that_works_and_ends(
    single: ProcessExecutor,
) -> None:
    child = single.submit(scenario_calls.change_signals).result(WAIT)

    assert is_healthy(single)
    assert single.submit(calls.pid).result(WAIT) == child
    single.shutdown()
    assert single._pool.pids() == []


def test_a_call_that_closes_all_descriptors_has_its_result_and_costs_no_other(
    single: ProcessExecutor,
) -> None:
    found = []
    for n in range(5):
        found.append(single.submit(scenario_calls.close_all_descriptors, n))
        assert is_healthy(single, 20)

    assert [future.result(WAIT) for future in found] == [0, 2, 4, 6, 8]


def test_a_recursion_without_end_is_the_calls_own_error(single: ProcessExecutor) -> None:
    child = single.submit(calls.pid).result(WAIT)

    assert isinstance(single.submit(scenario_calls.recurse).exception(WAIT), RecursionError)
    assert single.submit(calls.pid).result(WAIT) == child


def test_a_stack_that_overflows_costs_one_call_and_shows_where(single: ProcessExecutor) -> None:
    error = single.submit(scenario_calls.overflow_stack).exception(WAIT)

    assert isinstance(error, WorkerLost)
    assert error.exitcode == -signal.SIGSEGV
    assert "overflow_stack" in error.traceback or "__repr__" in error.traceback
    assert is_healthy(single)


@pytest.mark.parametrize("status", [0, 1, 255])
def test_an_exit_at_any_moment_is_told_with_its_status(
    single: ProcessExecutor, status: int
) -> None:
    error = single.submit(partial(calls.exit_now, status)).exception(WAIT)

    assert isinstance(error, WorkerLost)
    assert error.exitcode == status
    assert is_healthy(single, 20)
