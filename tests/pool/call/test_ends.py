"""Ends at bad moments: by a callback, by the collector, without waiting, while children come and go."""

import contextlib
import gc
import os
import signal
import sys
import threading
from concurrent import futures
from pathlib import Path
from typing import Any

import calls
import feature_calls
import psutil
import pytest

from lightwork.errors import WorkerLost
from lightwork.pool.link.child_state import ChildState
from lightwork.pool.process.executor import ProcessExecutor
from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 30


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


# --- recycling


def test_recycling_loses_no_large_error() -> None:
    with ProcessExecutor(2, max_tasks_per_child=1) as pool:
        found: list[Any] = [pool.submit(calls.fail, "x" * 3_000_000) for _ in range(10)]

        assert {len(str(future.exception(WAIT))) for future in found} == {3_000_000}


def test_calls_that_wait_for_recycled_children_run_although_the_pool_is_closed() -> None:
    pool = ProcessExecutor(2, max_tasks_per_child=1)
    found = [pool.submit(calls.double, n) for n in range(40)]

    pool.shutdown(wait=False)

    assert [future.result(WAIT) for future in found] == list(range(0, 80, 2))


def test_calls_that_wait_for_recycled_children_run_although_nobody_holds_the_pool() -> None:
    found = submit_to_a_dropped_pool(max_tasks_per_child=1)
    gc.collect()

    assert [future.result(WAIT) for future in found] == list(range(0, 80, 2))


def submit_to_a_dropped_pool(**options: Any) -> list[futures.Future[int]]:
    pool = ProcessExecutor(2, **options)
    return [pool.submit(calls.double, n) for n in range(40)]


def test_recycling_survives_deaths_and_cancels() -> None:
    with ProcessExecutor(3, max_tasks_per_child=2) as pool:
        for n in range(60):
            dies = pool.submit(calls.kill_myself)
            goes = pool.submit(calls.sleep, 0.001)
            stays = pool.submit(calls.double, n)
            goes.cancel(running="kill")

            assert stays.result(WAIT) == 2 * n
            assert isinstance(dies.exception(WAIT), WorkerLost)


# --- without waiting


def test_a_death_after_a_shutdown_without_waiting_costs_one_call(tmp_path: Path) -> None:
    here = tmp_path / "here"
    pool = ProcessExecutor(1)
    running = pool.submit(calls.mark_and_sleep, str(here), 1000)
    waiting = [pool.submit(calls.double, n) for n in range(20)]
    wait_until(lambda: lines(here), "the call runs")
    pool.shutdown(wait=False)

    os.kill(int(lines(here)[0]), signal.SIGKILL)

    assert isinstance(running.exception(WAIT), WorkerLost)
    assert [future.result(WAIT) for future in waiting] == list(range(0, 40, 2))


def test_a_map_goes_on_when_only_its_results_are_held() -> None:
    results = ProcessExecutor(2).map(calls.double, range(500))
    gc.collect()

    assert list(results) == list(range(0, 1000, 2))


@pytest.mark.parametrize("how", ["kill_workers", "shutdown"])
def test_a_callback_may_end_the_pool(how: str) -> None:
    pool = ProcessExecutor(2)
    failing: futures.Future[Any] = pool.submit(calls.fail, "now")
    failing.add_done_callback(lambda _: getattr(pool, how)())

    assert isinstance(failing.exception(WAIT), ValueError)
    wait_until(lambda: not pool._thread.is_alive(), "the dispatcher has ended")
    assert pool._pool.pids() == []


def test_a_second_shutdown_that_cancels_does_not_take_back_the_word_to_stop() -> None:
    pool = ProcessExecutor(1)
    child = pool.submit(calls.pid).result(WAIT)
    os.kill(child, signal.SIGSTOP)
    pool.shutdown(wait=False)
    [link] = pool._pool._children
    wait_until(lambda: link.state is ChildState.STOPPING, "it is told")

    pool.shutdown(wait=False, cancel_futures=True)
    os.kill(child, signal.SIGCONT)

    wait_until(lambda: not pool._thread.is_alive(), "the pool has ended")


@pytest.mark.parametrize("wait", [False, True])
@pytest.mark.parametrize("cancel", [False, True])
def test_the_collector_may_shut_a_pool_down_anywhere(wait: bool, cancel: bool) -> None:
    class ShutsDown:
        def __init__(self, pool: ProcessExecutor) -> None:
            self.me, self.pool = self, pool

        def __del__(self) -> None:
            self.pool.shutdown(wait=wait, cancel_futures=cancel)

    old = gc.get_threshold()
    for n in range(40):
        pool = ProcessExecutor(1)
        found = [pool.submit(calls.double, n)]
        gc.set_threshold(7 + n % 13)
        try:
            ShutsDown(pool)
            with contextlib.suppress(RuntimeError):
                found += [pool.submit(calls.double, n) for _ in range(200)]
        finally:
            gc.set_threshold(*old)
        gc.collect()

        assert not futures.wait(found, WAIT).not_done
        pool.shutdown()


# --- programs, threads


def test_a_program_with_nested_executors_that_nobody_shuts_down_ends(tmp_path: Path) -> None:
    done = feature_calls.run_program(
        """
        import calls
        from lightwork.pool.process.executor import ProcessExecutor
        outer = ProcessExecutor(2)
        def nest(n):
            global inner
            inner = ProcessExecutor(1)
            return inner.submit(calls.double, n).result()
        print(sum(outer.map(nest, range(4))))
        """
    )

    assert (done.stdout, done.stderr, done.returncode) == ("12\n", "", 0)


def test_children_outlive_the_thread_that_had_them_started() -> None:
    with ProcessExecutor(1) as pool:
        seen: list[int] = []
        thread = threading.Thread(target=lambda: seen.append(pool.submit(calls.pid).result(WAIT)))
        thread.start()
        thread.join()
        wait_until(
            lambda: thread.native_id not in task_ids(), "the system has forgotten the thread"
        )

        assert pool.submit(calls.pid).result(WAIT) == seen[0]


def task_ids() -> set[int]:
    return {thread.id for thread in psutil.Process().threads()}


def test_children_know_the_arguments_of_the_program() -> None:
    with ProcessExecutor(1) as pool:
        assert pool.submit(lambda: sys.argv).result(WAIT) == sys.argv


def test_what_children_print_is_seen() -> None:
    done = feature_calls.run_program(
        """
        from lightwork.pool.process.executor import ProcessExecutor
        with ProcessExecutor(1) as pool:
            pool.submit(print, "from a child").result()
        """
    )

    assert done.stdout == "from a child\n"
