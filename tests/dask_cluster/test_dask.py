"""Calls on a Dask cluster mean what they mean on a pool."""

import asyncio
import contextlib
import operator
import threading
import time
from concurrent import futures
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster

import lightwork as lw
from dask_cluster import dask_calls as calls
from dask_cluster.clusters import url_of
from lightwork.dask.executor import DaskExecutor

pytestmark = pytest.mark.process

PATIENCE = 60


def test_a_call_has_its_result(executor: DaskExecutor) -> None:
    assert executor.submit(calls.square, 3).result(PATIENCE) == 9


def test_keywords_that_dask_knows_are_the_functions(executor: DaskExecutor) -> None:
    given = {"key": 1, "workers": 2, "retries": 3, "priority": 4, "pure": 5, "fn": 6}

    assert executor.submit(calls.keywords, **given).result(PATIENCE) == given


def test_many_calls_are_few_tasks_of_dask(executor: DaskExecutor) -> None:
    executor.submit(operator.add, 1, 2).result(PATIENCE)

    many = [executor.submit(operator.add, number, 1) for number in range(2000)]

    assert [future.result(PATIENCE) for future in many] == list(range(1, 2001))
    assert next(executor._flow._numbers) < 400


def test_a_map_is_in_order(executor: DaskExecutor) -> None:
    assert list(executor.map(calls.square, range(1000))) == [n * n for n in range(1000)]


def test_an_error_arrives_as_itself_with_its_traceback(executor: DaskExecutor) -> None:
    with pytest.raises(ZeroDivisionError, match="7") as caught:
        executor.submit(calls.refuse, 7).result(PATIENCE)

    assert "calls.py" in str(caught.value.__cause__)


def test_what_cannot_be_pickled_fails_its_own_call(executor: DaskExecutor) -> None:
    argument = executor.submit(calls.keywords, lock=threading.Lock())
    result = executor.submit(calls.unpicklable)
    other = executor.submit(calls.square, 2)

    assert isinstance(argument.exception(PATIENCE), TypeError)
    assert isinstance(result.exception(PATIENCE), TypeError)
    assert other.result(PATIENCE) == 4


def test_a_lambda_travels_by_value(executor: DaskExecutor) -> None:
    factor = 7

    assert executor.submit(lambda number: number * factor, 6).result(PATIENCE) == 42


def test_a_large_argument_arrives(executor: DaskExecutor) -> None:
    assert executor.submit(len, bytes(12_000_000)).result(PATIENCE) == 12_000_000


def test_a_dead_child_costs_its_call_alone(executor: DaskExecutor) -> None:
    others = [executor.submit(calls.square, number) for number in range(20)]
    guilty = executor.submit(calls.die)
    others += [executor.submit(calls.square, number) for number in range(20)]

    error = guilty.exception(PATIENCE)

    assert isinstance(error, lw.WorkerLost)
    assert "while it ran die" in str(error)
    assert [future.result(PATIENCE) for future in others] == [n * n for n in range(20)] * 2


def test_a_call_past_its_timeout_is_killed(executor: DaskExecutor) -> None:
    with pytest.raises(TimeoutError, match=r"0\.2"):
        executor.submit(lw.call(time.sleep, timeout=0.2), 100).result(PATIENCE)


def test_a_call_past_its_memory_is_killed(executor: DaskExecutor) -> None:
    with pytest.raises(lw.WorkerLost, match="the limit is"):
        executor.submit(lw.call(calls.hold, max_memory="150M"), 400 << 20).result(PATIENCE)


def test_a_call_with_retries_is_run_again(executor: DaskExecutor, tmp_path: Path) -> None:
    assert executor.submit(calls.third_time, str(tmp_path)).result(PATIENCE) == 3
    assert len(list(tmp_path.iterdir())) == 3


def test_a_delay_is_waited_for(executor: DaskExecutor) -> None:
    begin = time.monotonic()

    executor.submit(lw.call(calls.square, delay=0.3), 2).result(PATIENCE)

    assert time.monotonic() - begin >= 0.3


def test_progress_is_heard(executor: DaskExecutor) -> None:
    heard: list[lw.Progress] = []

    future = executor.submit(lw.call(calls.report, on_progress=heard.append))

    assert future.result(PATIENCE) == 3
    assert heard[-1] == future.progress == lw.Progress(done=3, total=3, note="at it")


def test_events_are_told_in_their_order(executor: DaskExecutor) -> None:
    told: list[str] = []
    is_over = threading.Event()
    for kind in (lw.Submitted, lw.Started, lw.Progressed, lw.Succeeded):
        executor.on(kind, lambda event: told.append(type(event).__name__))
    executor.on(lw.Succeeded, lambda _: is_over.set())

    executor.submit(calls.report)

    assert is_over.wait(PATIENCE)
    assert list(dict.fromkeys(told)) == ["Submitted", "Started", "Progressed", "Succeeded"]


def test_a_coroutine_function_is_awaited(executor: DaskExecutor) -> None:
    many = [executor.submit(calls.meet, number) for number in range(50)]

    assert [future.result(PATIENCE) for future in many] == list(range(50))


def test_futures_stand_for_their_results(executor: DaskExecutor) -> None:
    nine = executor.submit(calls.square, 3)

    assert executor.submit(operator.add, nine, 1).result(PATIENCE) == 10


def test_a_call_may_have_a_pool_of_its_own(executor: DaskExecutor) -> None:
    assert executor.submit(calls.nested, 3).result(PATIENCE) == 9


def test_what_is_more_urgent_goes_first(executor: DaskExecutor, tmp_path: Path) -> None:
    ends: list[str] = []
    blocking = [executor.submit(calls.wait_for_file, str(tmp_path)) for _ in range(4)]
    # Both slots and all places before them are taken.
    _wait_for(lambda: all(future.running() for future in blocking))
    for name, priority in [("low", 0), ("high", 1)] * 4:
        future = executor.submit(lw.call(calls.keywords, priority=priority), name=name)
        future.add_done_callback(lambda ended: ends.append(ended.result()["name"]))

    (tmp_path / "go").touch()

    _wait_for(lambda: len(ends) == 8)
    # Two slots: beside the last of one kind may be the first of the other.
    assert set(ends[:3]) == {"high"}
    assert set(ends[-3:]) == {"low"}


def test_what_waits_is_cancelled(executor: DaskExecutor) -> None:
    long = [executor.submit(time.sleep, 100) for _ in range(8)]

    waiting = [future.cancel() for future in long]
    killed = [future.cancel(running="kill") for future in long]

    # Two slots, two batches each, a call of unknown duration alone in its batch.
    assert sum(waiting) >= 4
    assert all(killed)
    assert executor.submit(calls.square, 2).result(PATIENCE) == 4


def test_a_running_call_is_killed(executor: DaskExecutor, tmp_path: Path) -> None:
    future = executor.submit(calls.begin_and_wait, str(tmp_path))
    _wait_for(lambda: list(tmp_path.glob("*[0-9]")))

    assert not future.cancel()
    assert future.cancel(running="kill")

    assert future.cancelled()
    assert executor.submit(calls.square, 2).result(PATIENCE) == 4


def test_an_event_loop_goes_on_while_a_call_is_killed(
    executor: DaskExecutor, tmp_path: Path
) -> None:
    async def kill() -> bool:
        future = await executor.submit_async(calls.begin_and_wait, str(tmp_path))
        await asyncio.to_thread(_wait_for, lambda: list(tmp_path.glob("*[0-9]")))
        return await future.cancel_async(running="kill")

    assert asyncio.run(kill())


def test_a_running_call_is_asked(executor: DaskExecutor) -> None:
    future = executor.submit(calls.wait_until_cancelled)

    def asked() -> bool:
        return future.cancel(running="ask") or future.done()

    _wait_for(asked)

    with contextlib.suppress(futures.CancelledError):
        assert future.result(PATIENCE) == "asked"


def test_shutdown_cancels_what_waits_and_waits_for_the_rest(cluster: LocalCluster) -> None:
    executor = DaskExecutor(url_of(cluster))
    sent = [executor.submit(time.sleep, 0.3) for _ in range(10)]
    _wait_for(sent[0].running)

    executor.shutdown(cancel_futures=True)

    assert all(future.done() for future in sent)
    assert {future.cancelled() for future in sent} == {True, False}
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(calls.square, 2)


def test_nothing_of_an_executor_stays_on_the_cluster(cluster: LocalCluster) -> None:
    with DaskExecutor(url_of(cluster)) as executor:
        executor.submit(lw.call(calls.square, idempotent=False), 2).result(PATIENCE)

    assert not [name for name in cluster.scheduler.worker_plugins if "lightwork" in name]
    assert not cluster.scheduler.tasks
    assert not cluster.scheduler.extensions["publish"].datasets


def test_initializers_run_in_each_child(cluster: LocalCluster) -> None:
    url = url_of(cluster)

    with DaskExecutor(url, initializer=calls.remember, initargs=("this",)) as executor:
        assert executor.submit(calls.remembered).result(PATIENCE) == "this"


def test_a_failing_initializer_breaks_the_executor(cluster: LocalCluster) -> None:
    with DaskExecutor(url_of(cluster), initializer=calls.refuse, initargs=(1,)) as executor:
        with pytest.raises(lw.PoolError):
            executor.submit(calls.square, 2).result(PATIENCE)

        with pytest.raises(lw.PoolError):
            _submit_on(executor)


def _submit_on(executor: DaskExecutor) -> None:
    for _ in range(1000):
        executor.submit(calls.square, 2)
        time.sleep(0.01)


def test_callbacks_and_waits_of_the_standard_library_work(executor: DaskExecutor) -> None:
    heard: list[int] = []
    many = [executor.submit(calls.square, number) for number in range(10)]
    for future in many:
        future.add_done_callback(lambda ended: heard.append(ended.result()))

    done, _ = futures.wait(many, PATIENCE)

    assert len(done) == 10
    _wait_for(lambda: len(heard) == 10)


def test_an_executor_that_nobody_holds_ends(cluster: LocalCluster) -> None:
    executor = DaskExecutor(url_of(cluster))
    future, thread = executor.submit(calls.square, 3), executor._thread

    del executor

    assert future.result(PATIENCE) == 9
    thread.join(PATIENCE)
    assert not thread.is_alive()


def _wait_for(is_so: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)
