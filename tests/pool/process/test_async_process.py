"""Coroutine functions on child processes: results, concurrency, neighbours."""

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import CancelledError
from functools import partial
from pathlib import Path
from typing import Any

import async_calls
import calls
import pytest

from lightwork.errors import UsageError
from lightwork.pool.call.future import Future
from lightwork.pool.call.options import CallOptions
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.tasks.task import task
from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 60


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


@pytest.mark.parametrize(
    "fn",
    [
        async_calls.double,
        task(async_calls.double),
        partial(async_calls.double),
        async_calls.Doubler(),
        async_calls.Doubler().method,
    ],
    ids=["function", "task", "partial", "object", "method"],
)
def test_a_coroutine_function_returns_its_result(
    pool: ProcessExecutor, fn: Callable[..., Any]
) -> None:
    assert pool.submit(fn, 21).result(WAIT) == 42


def test_a_coroutine_function_of_the_script_travels(pool: ProcessExecutor) -> None:
    offset = 1

    async def add(n: int) -> int:
        await asyncio.sleep(0)
        return n + offset

    assert pool.submit(add, 1).result(WAIT) == 2


def test_a_thousand_coroutines_wait_at_once_on_two_children(tmp_path: Path) -> None:
    marks, gate = tmp_path / "marks", tmp_path / "gate"
    with ProcessExecutor(2, async_calls=500) as pool:
        futures = [
            pool.submit(async_calls.mark_and_wait_for, str(marks), str(gate), n)
            for n in range(1000)
        ]
        wait_until(lambda: len(lines(marks)) == 1000, "all have begun", within=WAIT)
        gate.touch()

        assert [future.result(WAIT) for future in futures] == list(range(1000))


def test_coroutines_are_spread_over_the_children(pool: ProcessExecutor, tmp_path: Path) -> None:
    marks, gate = tmp_path / "marks", tmp_path / "gate"
    for _ in range(60):
        pool.submit(async_calls.mark_and_wait_for, str(marks), str(gate))
    wait_until(lambda: len(lines(marks)) == 60, "all have begun")
    gate.touch()

    children = Counter(line.partition(":")[0] for line in lines(marks))

    # As a rule 30 each; as few as one where a busy machine holds a child up for 5 ms.
    assert len(children) == 2


def test_no_child_runs_more_at_once_than_it_may(tmp_path: Path) -> None:
    counts = tmp_path / "counts"
    with ProcessExecutor(1, async_calls=3) as pool:
        for future in [pool.submit(async_calls.how_many_at_once, str(counts)) for _ in range(20)]:
            future.result(WAIT)

    assert max(int(line.partition(":")[2]) for line in lines(counts)) == 3


def test_higher_priorities_begin_first(tmp_path: Path) -> None:
    marks, gate = tmp_path / "marks", tmp_path / "gate"
    with ProcessExecutor(1, async_calls=1) as pool:
        first = pool.submit(async_calls.mark_and_wait_for, str(marks), str(gate), "first")
        wait_until(lambda: lines(marks), "the first has begun")
        others: list[Future[Any]] = [
            pool.start_call(
                async_calls.mark_and_wait_for,
                (str(marks), str(gate), priority),
                {},
                CallOptions(priority=priority),
            )
            for priority in (1, 3, 2)
        ]
        gate.touch()
        for future in [first, *others]:
            future.result(WAIT)

    assert [line.partition(":")[2] for line in lines(marks)] == ["first", "3", "2", "1"]


@pytest.mark.parametrize("size", [100, 1 << 15, 1 << 16, 3_000_000])
def test_results_and_arguments_of_any_size_travel(pool: ProcessExecutor, size: int) -> None:
    results = [pool.submit(async_calls.blob, size) for _ in range(5)]
    lengths = [pool.submit(async_calls.length, b"y" * size) for _ in range(5)]

    assert [future.result(WAIT) for future in results] == [b"x" * size] * 5
    assert [future.result(WAIT) for future in lengths] == [size] * 5


def test_an_exception_arrives_with_its_traceback(pool: ProcessExecutor) -> None:
    error = pool.submit(async_calls.fail, "far away").exception(WAIT)

    assert isinstance(error, ValueError)
    assert "async_calls.py" in str(error.__cause__)


def test_a_result_that_cannot_be_pickled_costs_one_call(pool: ProcessExecutor) -> None:
    others = [pool.submit(async_calls.nap, 0.05, n) for n in range(10)]
    bad = pool.submit(async_calls.return_lock)

    assert isinstance(bad.exception(WAIT), TypeError)
    assert [future.result(WAIT) for future in others] == list(range(10))


@pytest.mark.parametrize(("how", "kind"), [("exit", SystemExit), ("interrupt", KeyboardInterrupt)])
@pytest.mark.parametrize("fn", [async_calls.leave, async_calls.leave_in_a_task])
def test_leaving_the_interpreter_costs_one_call(
    single: ProcessExecutor, fn: Callable[..., Any], how: str, kind: type[BaseException]
) -> None:
    here = single.submit(calls.pid).result(WAIT)
    others = [single.submit(async_calls.nap, 0.1, n) for n in range(10)]

    assert type(single.submit(fn, how).exception(WAIT)) is kind
    assert [future.result(WAIT) for future in others] == list(range(10))
    assert single.submit(calls.pid).result(WAIT) == here


def test_a_coroutine_that_cancels_itself_ends_as_cancelled(single: ProcessExecutor) -> None:
    future = single.submit(async_calls.leave, "cancel")

    with pytest.raises(CancelledError):
        future.result(WAIT)
    assert future.cancelled()


def test_plain_calls_and_coroutines_share_a_pool(pool: ProcessExecutor) -> None:
    futures = [pool.submit(fn, n) for n in range(200) for fn in (calls.double, async_calls.double)]

    assert [future.result(WAIT) for future in futures] == [2 * n for n in range(200) for _ in "ab"]


def test_a_plain_call_does_not_wait_for_coroutines_to_end(
    single: ProcessExecutor, tmp_path: Path
) -> None:
    marks, gate = tmp_path / "marks", tmp_path / "gate"
    waiting = single.submit(async_calls.mark_and_wait_for, str(marks), str(gate))
    wait_until(lambda: lines(marks), "it has begun")

    assert single.submit(calls.double, 2).result(WAIT) == 4
    assert not waiting.done()
    gate.touch()
    waiting.result(WAIT)


def test_plain_calls_go_to_children_without_coroutines(
    pool: ProcessExecutor, tmp_path: Path
) -> None:
    marks, gate = tmp_path / "marks", tmp_path / "gate"
    waiting = pool.submit(async_calls.mark_and_wait_for, str(marks), str(gate))
    wait_until(lambda: lines(marks), "it has begun")
    looping = int(lines(marks)[0].partition(":")[0])

    pids = {pool.submit(calls.pid).result(WAIT) for _ in range(20)}

    assert looping not in pids
    gate.touch()
    waiting.result(WAIT)


def test_a_plain_call_may_run_a_loop_of_its_own_beside_coroutines(
    single: ProcessExecutor, tmp_path: Path
) -> None:
    marks, gate = tmp_path / "marks", tmp_path / "gate"
    waiting = single.submit(async_calls.mark_and_wait_for, str(marks), str(gate))
    wait_until(lambda: lines(marks), "it has begun")

    assert single.submit(async_calls.run_own_loop, 4).result(WAIT) == 8
    gate.touch()
    waiting.result(WAIT)


def test_coroutines_do_not_wait_behind_a_long_plain_call(
    pool: ProcessExecutor, tmp_path: Path
) -> None:
    marks, gate = tmp_path / "marks", tmp_path / "gate"
    long = pool.submit(calls.mark_and_wait_for, str(marks), str(gate))
    wait_until(lambda: lines(marks), "the long call runs")

    results = [pool.submit(async_calls.double, n).result(WAIT) for n in range(20)]

    assert results == list(range(0, 40, 2))
    gate.touch()
    long.result(WAIT)


def test_each_call_has_context_variables_of_its_own(single: ProcessExecutor) -> None:
    futures = [single.submit(async_calls.set_variable, str(n)) for n in range(20)]

    assert [future.result(WAIT) for future in futures] == [("nothing", str(n)) for n in range(20)]


def test_progress_arrives_from_each_coroutine(single: ProcessExecutor) -> None:
    seen: dict[int, list[float]] = {0: [], 1: []}
    futures: list[Future[Any]] = [
        single.start_call(
            async_calls.report,
            (3,),
            {},
            CallOptions(on_progress=lambda progress, n=n: seen[n].append(progress.done)),  # type: ignore[misc]
        )
        for n in seen
    ]

    names = [future.result(WAIT) for future in futures]

    assert names == ["lightwork-child-1", "lightwork-child-1"]
    wait_until(lambda: all(done and done[-1] == 3 for done in seen.values()), "the last reports")


def test_a_coroutine_submits_to_another_pool_and_awaits_it(single: ProcessExecutor) -> None:
    assert single.submit(async_calls.nested, 21).result(WAIT) == 42


def test_a_task_that_was_left_on_the_loop_goes_on(single: ProcessExecutor) -> None:
    assert single.submit(async_calls.start_background_task).result(WAIT) == "started"

    wait_until(
        lambda: single.submit(async_calls.last_noted).result(WAIT) == "ticked",
        "the task has ended",
    )


def test_what_is_local_is_the_child_s(single: ProcessExecutor) -> None:
    found = {future.result(WAIT) for future in [single.submit(async_calls.where) for _ in "abc"]}

    assert len(found) == 1


def test_a_future_of_a_coroutine_can_be_awaited(pool: ProcessExecutor) -> None:
    async def gather() -> list[int]:
        return list(await asyncio.gather(*(pool.submit(async_calls.double, n) for n in range(50))))

    assert asyncio.run(gather()) == list(range(0, 100, 2))


def test_many_threads_submit_coroutines(pool: ProcessExecutor) -> None:
    results: list[int] = []

    def submit() -> None:
        futures = [pool.submit(async_calls.double, n) for n in range(100)]
        results.extend(future.result(WAIT) for future in futures)

    threads = [threading.Thread(target=submit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results) == sorted(2 * n for n in range(100) for _ in threads)


def test_a_child_is_replaced_after_so_many_coroutines() -> None:
    with ProcessExecutor(1, max_tasks_per_child=5) as pool:
        futures = [pool.submit(async_calls.where) for _ in range(20)]

        assert len({future.result(WAIT)[0] for future in futures}) == 4


def test_a_pool_without_coroutines_never_imports_asyncio(single: ProcessExecutor) -> None:
    import sys

    def has_asyncio() -> bool:
        return "asyncio" in sys.modules

    assert not single.submit(has_asyncio).result(WAIT)


def test_an_async_generator_is_refused(pool: ProcessExecutor) -> None:
    with pytest.raises(UsageError, match="async generator"):
        pool.submit(async_calls.numbers)


@pytest.mark.parametrize("count", [0, -1, True, 1.5, None])
def test_a_number_that_makes_no_sense_is_refused(count: Any) -> None:
    with pytest.raises(UsageError, match="async_calls"):
        ProcessExecutor(1, async_calls=count)


def test_coroutines_run_here_is_another_process(pool: ProcessExecutor) -> None:
    assert pool.submit(async_calls.where).result(WAIT)[0] != os.getpid()
