"""Futures as arguments, and after=, mean the same on every executor of this machine."""

import threading
import time
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import pytest

import lightwork as lw

PATIENCE = 60
PLACES = ["threads:2", "processes:2", "inline"]


def number(n: int) -> int:
    return n


def total(*numbers: Any, more: Any = ()) -> int:
    return int(sum(numbers) + sum(more))


def fail(text: str) -> int:
    raise ValueError(text)


def kind_of(value: Any) -> str:
    return type(value).__name__


def slowly(n: int) -> int:
    time.sleep(0.05)
    return n


def wait_here(event: threading.Event) -> int:
    event.wait(PATIENCE)
    return 1


@pytest.fixture(params=PLACES)
def executor(request: pytest.FixtureRequest) -> Iterator[lw.Executor]:
    with lw.executor(request.param) as opened:
        yield opened


@pytest.fixture
def threads() -> Iterator[lw.ThreadExecutor]:
    with lw.ThreadExecutor(2) as opened:
        yield opened


def test_future_among_the_arguments_is_its_result(executor: lw.Executor) -> None:
    one, two = executor.submit(number, 1), executor.submit(number, 2)

    assert executor.submit(total, one, two, more=[one, 3]).result(PATIENCE) == 7


def test_chain_of_calls(executor: lw.Executor) -> None:
    future: lw.Future[Any] = executor.submit(number, 0)
    for _ in range(200):
        future = executor.submit(total, future, 1)

    assert future.result(PATIENCE) == 200


def test_diamond(executor: lw.Executor) -> None:
    top = executor.submit(number, 1)
    sides = [executor.submit(total, top, n) for n in (1, 2)]

    assert executor.submit(total, *sides).result(PATIENCE) == 5


def test_many_futures_are_arguments_of_one_call(executor: lw.Executor) -> None:
    numbers = [executor.submit(number, n) for n in range(1000)]

    assert executor.submit(sum, numbers).result(PATIENCE) == 499500


def test_failure_is_told_along_the_chain(executor: lw.Executor) -> None:
    parent = executor.submit(fail, "no luck")
    child = executor.submit(total, parent)
    grandchild = executor.submit(total, child)

    for future in (child, grandchild):
        error = future.exception(PATIENCE)
        assert isinstance(error, lw.DependencyFailed)
        assert error.__cause__ is parent.exception()
        assert (error.error_type, error.error_text) == ("ValueError", "no luck")


@pytest.mark.parametrize("how", ["fails", "is cancelled"])
def test_long_chain_ends_without_recursion(how: str) -> None:
    gate = threading.Event()
    with lw.ThreadExecutor(1) as threads:
        held = threads.submit(wait_here, gate)
        first: lw.Future[Any] = threads.submit(fail, "no luck")
        future = first
        for _ in range(3000):
            future = threads.submit(total, future)

        if how == "is cancelled":
            first.cancel()
        gate.set()
        held.result(PATIENCE)
        futures.wait([future], PATIENCE)

        assert future.cancelled() == (how == "is cancelled")
        assert future.done()


def test_call_that_runs_whatever_happens_gets_the_exception(executor: lw.Executor) -> None:
    parent = executor.submit(fail, "no luck")

    future = executor.submit(lw.call(kind_of, on_failure="run"), parent)

    assert future.result(PATIENCE) == "ValueError"


def test_call_may_wait_without_an_argument(threads: lw.ThreadExecutor) -> None:
    gate = threading.Event()
    first = threads.submit(wait_here, gate)
    second = threads.submit(lw.call(number, after=[first]), 2)
    waiting = not second.done() and not second.running()

    gate.set()

    assert (waiting, second.result(PATIENCE)) == (True, 2)


def test_what_waits_takes_no_thread() -> None:
    gate = threading.Event()
    with lw.ThreadExecutor(1) as single, lw.ThreadExecutor(1) as other:
        slow = other.submit(wait_here, gate)
        waiting = single.submit(total, slow)

        assert single.submit(number, 3).result(PATIENCE) == 3
        gate.set()
        assert waiting.result(PATIENCE) == 1


def test_cancelled_parent_cancels_its_child(threads: lw.ThreadExecutor) -> None:
    gate = threading.Event()
    held = [threads.submit(wait_here, gate) for _ in range(2)]
    parent = threads.submit(number, 1)
    child = threads.submit(total, parent)
    grandchild = threads.submit(total, child)

    parent.cancel()

    assert child.cancelled()
    assert grandchild.cancelled()
    gate.set()
    futures.wait(held)


def test_waiting_call_is_cancelled_and_never_runs(threads: lw.ThreadExecutor) -> None:
    gate = threading.Event()
    parent = threads.submit(wait_here, gate)
    ran: list[int] = []
    child = threads.submit(ran.append, parent)

    assert child.cancel()
    gate.set()
    parent.result(PATIENCE)

    assert (child.cancelled(), ran) == (True, [])


def test_leaving_the_block_runs_what_waits() -> None:
    gate = threading.Event()
    with lw.ThreadExecutor(1) as threads:
        future = threads.submit(total, threads.submit(wait_here, gate))
        threading.Timer(0.05, gate.set).start()

    assert future.result(0) == 1


def test_shutdown_that_cancels_cancels_what_waits() -> None:
    gate = threading.Event()
    with lw.ThreadExecutor(1) as other:
        threads = lw.ThreadExecutor(1)
        future = threads.submit(total, other.submit(wait_here, gate))

        threads.shutdown(cancel_futures=True)

        assert future.cancelled()
        gate.set()


def test_call_after_shutdown_is_refused(executor: lw.Executor) -> None:
    done = executor.submit(number, 1)
    futures.wait([done])
    executor.shutdown()

    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(total, done)


def test_future_of_another_executor_is_waited_for(executor: lw.Executor) -> None:
    with lw.ThreadExecutor(1) as other:
        future = executor.submit(total, other.submit(slowly, 4), 1)

        assert future.result(PATIENCE) == 5


def test_future_of_the_standard_library_stays_an_object() -> None:
    plain: futures.Future[int] = futures.Future()
    with lw.ThreadExecutor(1) as threads:
        assert threads.submit(lambda found: found is plain, plain).result(PATIENCE)


def test_id_of_a_job_is_no_future(threads: lw.ThreadExecutor) -> None:
    with pytest.raises(lw.UsageError, match="ids are those of jobs"):
        threads.submit(lw.call(number, after=["018f0000-0000-7000-8000-000000000000"]), 1)


def test_coroutine_function_waits_too(threads: lw.ThreadExecutor) -> None:
    async def plus_one(n: int) -> int:
        return n + 1

    future: lw.Future[Any] = threads.submit(plus_one, threads.submit(number, 1))

    assert future.result(PATIENCE) == 2


def test_option_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(lw.UsageError, match="on_failure"):
        lw.call(number, on_failure="maybe")  # type: ignore[arg-type]
    with pytest.raises(lw.UsageError, match="after"):
        lw.call(number, after=[1])  # type: ignore[list-item]
