"""Calls on child processes: results, limits, recycling, starting."""

import asyncio
import contextlib
import itertools
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any, Unpack

import calls
import pytest
from programs import lines

from lightwork.errors import PoolError, UsageError, WorkerLost
from lightwork.pool.call.options import CallOptions
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.tasks.task import Task, TaskOptions, task
from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 30


def make_constant(value: int) -> Callable[[], int]:
    return lambda: value


def make_length_of(data: bytes) -> Callable[[], int]:
    return lambda: len(data)


# --- results


def test_a_call_returns_its_result(pool: ProcessExecutor) -> None:
    assert pool.submit(calls.double, 21).result(WAIT) == 42


def test_calls_run_in_other_processes(pool: ProcessExecutor) -> None:
    assert pool.submit(os.getpid).result(WAIT) != os.getpid()


def test_keyword_arguments_named_like_parameters_reach_the_function(pool: ProcessExecutor) -> None:
    assert pool.submit(dict, fn=1, self=2).result(WAIT) == {"fn": 1, "self": 2}


def test_the_traceback_of_a_function_that_travels_by_value_shows_its_lines(
    pool: ProcessExecutor,
) -> None:
    failed = pool.submit(lambda: 1 / 0).exception(WAIT)

    assert "pool.submit(lambda: 1 / 0)" in str(failed.__cause__)  # type: ignore[union-attr]


def test_lambdas_and_closures_travel(pool: ProcessExecutor) -> None:
    offset = 10

    assert pool.submit(lambda n: n + offset, 5).result(WAIT) == 15


def test_a_closure_travels_with_what_it_captured_last(pool: ProcessExecutor) -> None:
    values = [1]

    first = pool.submit(lambda: values[0]).result(WAIT)
    values[0] = 2

    assert (first, pool.submit(lambda: values[0]).result(WAIT)) == (1, 2)


def test_more_functions_than_a_child_remembers_all_work(single: ProcessExecutor) -> None:
    found = [single.submit(make_constant(n)) for n in range(600)]

    assert [future.result(WAIT) for future in found] == list(range(600))


def test_large_functions_travel(single: ProcessExecutor) -> None:
    sizes = [50_000 + n for n in range(30)]

    found = [single.submit(make_length_of(bytes(size))) for size in sizes]

    assert [future.result(WAIT) for future in found] == sizes


def test_thousands_of_short_calls_keep_their_results(pool: ProcessExecutor) -> None:
    found = [pool.submit(calls.double, n) for n in range(5000)]

    assert [future.result(WAIT) for future in found] == list(range(0, 10_000, 2))


@pytest.mark.parametrize("size", [0, 10, 39, 40, 41, 4096, 33_000, 70_000, 5_000_000])
def test_bodies_of_every_size_travel_both_ways(pool: ProcessExecutor, size: int) -> None:
    data = os.urandom(size)

    found = [pool.submit(bytes.__add__, data, b"!") for _ in range(3)]

    assert all(future.result(WAIT) == data + b"!" for future in found)


def test_a_hundred_megabytes_travel_both_ways(pool: ProcessExecutor) -> None:
    size = 100 << 20

    sent = pool.submit(calls.length, bytes(size))
    returned = pool.submit(calls.blob, size)

    assert (sent.result(60), len(returned.result(60))) == (size, size)


@pytest.mark.skipif("LIGHTWORK_TEST_HUGE" not in os.environ, reason="needs 10 GB of memory")
def test_more_than_two_gibibytes_travel_both_ways(pool: ProcessExecutor) -> None:
    size = (2 << 30) + 4097

    assert pool.submit(calls.length, bytes(size)).result(300) == size
    assert len(pool.submit(calls.blob, size).result(300)) == size


def test_a_task_runs_with_its_function(pool: ProcessExecutor) -> None:
    assert pool.submit(task(calls.double), 4).result(WAIT) == 8


def test_results_are_awaitable(pool: ProcessExecutor) -> None:
    async def double() -> int:
        return await pool.submit(calls.double, 4)

    assert asyncio.run(double()) == 8


def test_standard_library_functions_wait_for_the_futures(pool: ProcessExecutor) -> None:
    found = {pool.submit(calls.double, n) for n in range(10)}

    done = futures.wait(found, timeout=WAIT).done

    assert {future.result() for future in done} == set(range(0, 20, 2))
    assert set(futures.as_completed(found, timeout=WAIT)) == found


def test_many_threads_submit_at_once(pool: ProcessExecutor) -> None:
    found: list[list[int]] = [[] for _ in range(8)]

    def submit(thread: int) -> None:
        mine = [pool.submit(calls.double, 1000 * thread + n) for n in range(300)]
        found[thread] = [future.result(WAIT) for future in mine]

    threads = [threading.Thread(target=submit, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [[2 * (1000 * t + n) for n in range(300)] for t in range(8)]


def test_map_takes_an_infinite_input(pool: ProcessExecutor) -> None:
    found = list(itertools.islice(pool.map(calls.double, itertools.count()), 1000))

    assert found == list(range(0, 2000, 2))


def test_a_call_may_use_an_executor_of_its_own(pool: ProcessExecutor) -> None:
    assert pool.submit(calls.nested, 5).result(WAIT) == 10


def test_progress_reaches_the_listener_in_order(pool: ProcessExecutor) -> None:
    seen: list[float] = []
    options = CallOptions(on_progress=lambda progress: seen.append(progress.done))

    pool.start_call(calls.report, (1000,), {}, options).result(WAIT)

    assert seen == sorted(seen)
    assert seen[-1] == 1000


def test_higher_priority_starts_first(single: ProcessExecutor, tmp_path: Path) -> None:
    go = tmp_path / "go"
    first = single.submit(calls.wait_for, str(go))
    order: list[int] = []
    found = [single.start_call(calls.double, (n,), {}, CallOptions(priority=n)) for n in (1, 3, 2)]
    for n, future in zip((1, 3, 2), found, strict=True):
        future.add_done_callback(lambda _, n=n: order.append(n))  # type: ignore[misc]

    go.touch()
    first.result(WAIT)
    wait_until(lambda: len(order) == 3, "all callbacks have run")

    assert order == [3, 2, 1]


def test_children_are_started_only_when_needed() -> None:
    with ProcessExecutor(4) as pool:
        for n in range(20):
            pool.submit(calls.double, n).result(WAIT)

        assert len(pool._pool.pids()) == 1


def test_sixty_four_children_work_at_once(tmp_path: Path) -> None:
    go, here = tmp_path / "go", tmp_path / "here"
    with ProcessExecutor(64) as pool:
        found = [pool.submit(calls.mark_and_wait_for, str(here), str(go), n) for n in range(64)]
        wait_until(lambda: len(set(lines(here))) == 64, "64 children run", within=60)
        go.touch()

        assert [future.result(WAIT) for future in found] == list(range(64))


def test_short_calls_behind_a_long_one_run_elsewhere(pool: ProcessExecutor, tmp_path: Path) -> None:
    go = tmp_path / "go"
    # Known as short, so that it is sent ahead.
    go.touch()
    for _ in range(50):
        pool.submit(calls.wait_for, str(go)).result(WAIT)
    go.unlink()

    first = pool.submit(calls.wait_for, str(go))
    found = [pool.submit(calls.double, n) for n in range(200)]

    assert [future.result(WAIT) for future in found] == list(range(0, 400, 2))
    assert not first.done()
    go.touch()


# --- limits


def limited(fn: Callable[..., Any], **options: Unpack[TaskOptions]) -> Task[..., Any]:
    return task(**options)(fn)


def test_a_call_over_its_timeout_is_killed_in_time_and_others_go_on(
    pool: ProcessExecutor,
) -> None:
    pool.submit(calls.double, 1).result(WAIT)
    for _ in range(20):
        started = time.monotonic()
        slow: futures.Future[Any] = pool.submit(limited(calls.sleep, timeout=0.2), 1000)
        others = [pool.submit(calls.double, n) for n in range(100)]

        error = slow.exception(WAIT)
        late = time.monotonic() - started - 0.2

        assert isinstance(error, TimeoutError)
        assert [other.result(WAIT) for other in others] == list(range(0, 200, 2))
        assert late >= 0
        # Accurate to 10 ms. Once is enough: this machine may be busy with something else.
        if late < 0.010:
            return
    pytest.fail(f"twenty times late, the last time by {late} s")


def test_a_call_within_its_timeout_is_left_alone_and_forgotten(pool: ProcessExecutor) -> None:
    found = [pool.submit(limited(calls.double, timeout=3600), n) for n in range(200)]

    assert [future.result(WAIT) for future in found] == list(range(0, 400, 2))
    wait_until(lambda: len(pool._pool._scheduler._limits) == 0, "no limit is kept")


def test_a_timeout_counts_from_the_beginning_of_the_call(
    single: ProcessExecutor, tmp_path: Path
) -> None:
    first = single.submit(calls.sleep, 0.4)
    second = single.submit(limited(calls.sleep, timeout=0.3), 0.05, "in time")

    assert first.result(WAIT) is None
    assert second.result(WAIT) == "in time"


def test_time_outs_never_cost_another_call(pool: ProcessExecutor) -> None:
    slow = limited(calls.sleep, timeout=0.01)
    found = [(pool.submit(slow, 0.0099, n), pool.submit(calls.double, n)) for n in range(60)]

    for n, (risky, safe) in enumerate(found):
        with contextlib.suppress(TimeoutError):
            assert risky.result(WAIT) == n
        assert safe.result(WAIT) == 2 * n


def test_a_call_that_holds_too_much_memory_is_killed_alone(pool: ProcessExecutor) -> None:
    greedy = pool.submit(limited(calls.hold_memory, max_memory="150M"), 300 << 20)
    modest = pool.submit(limited(calls.sleep, max_memory="150M"), 0.2, "modest")

    assert isinstance(greedy.exception(WAIT), WorkerLost)
    assert "the limit is" in str(greedy.exception())
    assert modest.result(WAIT) == "modest"


# --- recycling


def test_children_are_replaced_after_so_many_calls() -> None:
    with ProcessExecutor(1, max_tasks_per_child=3) as pool:
        pids = [pool.submit(calls.pid).result(WAIT) for _ in range(9)]

    assert [len(set(pids[n : n + 3])) for n in (0, 3, 6)] == [1, 1, 1]
    assert len(set(pids)) == 3


def test_recycling_goes_on_with_calls_waiting() -> None:
    with ProcessExecutor(3, max_tasks_per_child=2) as pool:
        pids = [future.result(WAIT) for future in [pool.submit(calls.pid) for _ in range(100)]]

    assert max(pids.count(pid) for pid in pids) <= 2


def test_recycling_goes_on_after_a_cancel(tmp_path: Path) -> None:
    with ProcessExecutor(1, max_tasks_per_child=1) as pool:
        for n in range(20):
            pool.submit(calls.double, n).cancel()

        assert pool.submit(calls.double, 4).result(WAIT) == 8


def test_recycling_loses_no_large_result() -> None:
    with ProcessExecutor(2, max_tasks_per_child=1) as pool:
        found = [pool.submit(calls.blob, 3_000_000) for _ in range(10)]

        assert {len(future.result(WAIT)) for future in found} == {3_000_000}


# --- starting


def test_the_initializer_runs_in_every_child() -> None:
    with ProcessExecutor(2, initializer=calls.set_greeting, initargs=("hello",)) as pool:
        found = {pool.submit(calls.greeting).result(WAIT) for _ in range(10)}

    assert found == {"hello"}


def test_a_failing_initializer_fails_all_calls_and_later_submits() -> None:
    with ProcessExecutor(2, initializer=calls.set_up_badly) as pool:
        found = [pool.submit(calls.double, n) for n in range(20)]
        errors = [future.exception(WAIT) for future in found]

        assert all(isinstance(error, PoolError) for error in errors)
        assert isinstance(errors[0].__cause__, LookupError)  # type: ignore[union-attr]
        with pytest.raises(PoolError, match="no such thing"):
            pool.submit(calls.double, 1)


def test_children_that_die_at_start_break_the_pool() -> None:
    with ProcessExecutor(2, initializer=calls.exit_now) as pool:
        future = pool.submit(calls.double, 1)

        assert isinstance(future.exception(WAIT), PoolError)
        with pytest.raises(PoolError, match="in a row died"):
            pool.submit(calls.double, 1)


def test_a_child_that_is_killed_while_starting_costs_nothing(tmp_path: Path) -> None:
    here, go = tmp_path / "here", tmp_path / "go"
    arguments = (str(here), str(go))
    with ProcessExecutor(1, initializer=calls.mark_and_wait_for, initargs=arguments) as pool:
        future = pool.submit(calls.double, 1)
        wait_until(lambda: lines(here), "the child is starting")
        os.kill(int(lines(here)[0]), signal.SIGKILL)
        go.touch()

        assert future.result(WAIT) == 2


@pytest.mark.parametrize("workers", [0, -1, True, 1.5])
def test_a_number_of_children_that_makes_no_sense_is_refused(workers: Any) -> None:
    with pytest.raises(UsageError, match="max_workers"):
        ProcessExecutor(workers)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_number_of_calls_that_makes_no_sense_is_refused(limit: int) -> None:
    with pytest.raises(UsageError, match="max_tasks_per_child"):
        ProcessExecutor(1, max_tasks_per_child=limit)
