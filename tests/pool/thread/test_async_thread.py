"""Coroutine functions on threads: one loop beside the worker threads."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from functools import partial
from pathlib import Path
from typing import Any

import async_calls
import pytest

from lightwork.errors import UsageError
from lightwork.pool.call.current import current
from lightwork.pool.call.future import Future
from lightwork.pool.call.local import Local
from lightwork.pool.call.options import CallOptions
from lightwork.pool.thread.executor import ThreadExecutor
from lightwork.pool.thread.queue import ThreadPoolError
from lightwork.tasks.task import task
from waiting import wait_until

WAIT = 60
HERE = Path(__file__).parents[1]


@pytest.fixture
def pool() -> Iterator[ThreadExecutor]:
    with ThreadExecutor(2) as executor:
        yield executor


@pytest.fixture
def gate() -> Iterator[async_calls.Gate]:
    opened = async_calls.Gate()
    yield opened
    opened.is_open = True


def limited(pool: ThreadExecutor, timeout: float, fn: Callable[..., Any]) -> Future[Any]:
    return pool.start_call(fn, (), {}, CallOptions(timeout=timeout))


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
    pool: ThreadExecutor, fn: Callable[..., Any]
) -> None:
    assert pool.submit(fn, 21).result(WAIT) == 42


def test_many_coroutines_wait_at_once_in_one_thread(gate: async_calls.Gate) -> None:
    with ThreadExecutor(1, async_calls=1000) as pool:
        futures = [pool.submit(gate.wait, n) for n in range(1000)]
        gate.wait_for(1000)
        gate.is_open = True

        assert [future.result(WAIT) for future in futures] == list(range(1000))


def test_no_more_run_at_once_than_may(gate: async_calls.Gate) -> None:
    with ThreadExecutor(1, async_calls=3) as pool:
        futures = [pool.submit(gate.wait, n) for n in range(5)]
        gate.wait_for(3)
        pool.submit(async_calls.double, 1)

        assert gate.begun == [0, 1, 2]
        gate.is_open = True
        assert [future.result(WAIT) for future in futures] == list(range(5))


def test_higher_priorities_begin_first(gate: async_calls.Gate) -> None:
    with ThreadExecutor(1, async_calls=1) as pool:
        pool.submit(gate.wait, "first")
        gate.wait_for(1)
        for priority in (1, 3, 2):
            pool.start_call(gate.wait, (priority,), {}, CallOptions(priority=priority))
        gate.is_open = True

    assert gate.begun == ["first", 3, 2, 1]


def test_coroutines_do_not_occupy_the_threads(pool: ThreadExecutor, gate: async_calls.Gate) -> None:
    futures = [pool.submit(gate.wait) for _ in range(10)]
    gate.wait_for(10)

    assert pool.submit(len, "abc").result(WAIT) == 3
    assert len(pool._threads) == 1
    gate.is_open = True
    for future in futures:
        future.result(WAIT)


def test_all_run_in_one_thread_that_has_the_executor_s_name() -> None:
    with ThreadExecutor(2, thread_name_prefix="mine") as pool:
        found = {
            future.result(WAIT)[1:] for future in [pool.submit(async_calls.where) for _ in "ab"]
        }

    assert [name for name, _ in found] == ["mine_loop"]


def test_an_exception_arrives_as_it_is(pool: ThreadExecutor) -> None:
    with pytest.raises(ValueError, match="far away"):
        pool.submit(async_calls.fail, "far away").result(WAIT)


@pytest.mark.parametrize(("how", "kind"), [("exit", SystemExit), ("interrupt", KeyboardInterrupt)])
@pytest.mark.parametrize("fn", [async_calls.leave, async_calls.leave_in_a_task])
def test_leaving_the_interpreter_costs_one_call(
    pool: ThreadExecutor, fn: Callable[..., Any], how: str, kind: type[BaseException]
) -> None:
    others = [pool.submit(async_calls.nap, 0.05, n) for n in range(10)]

    assert type(pool.submit(fn, how).exception(WAIT)) is kind
    assert [future.result(WAIT) for future in others] == list(range(10))


def test_a_coroutine_that_cancels_itself_ends_as_cancelled(pool: ThreadExecutor) -> None:
    future = pool.submit(async_calls.leave, "cancel")

    with pytest.raises(CancelledError):
        future.result(WAIT)
    assert future.cancelled()


# --- current, context, hooks


def test_current_is_each_call_s_own(pool: ThreadExecutor) -> None:
    reports: list[float] = []
    options = CallOptions(on_progress=lambda progress: reports.append(progress.done))

    future: Future[Any] = pool.start_call(async_calls.report, (3,), {}, options)

    assert future.result(WAIT).endswith("_loop")
    assert reports == [1, 2, 3]


def test_each_call_has_context_variables_of_its_own(pool: ThreadExecutor) -> None:
    futures = [pool.submit(async_calls.set_variable, str(n)) for n in range(20)]

    assert [future.result(WAIT) for future in futures] == [("nothing", str(n)) for n in range(20)]


def test_hooks_run_once_in_the_thread_of_the_loop() -> None:
    acts: list[tuple[str, str]] = []

    def act(what: str) -> None:
        acts.append((what, threading.current_thread().name))

    with ThreadExecutor(
        1, "mine", initializer=act, initargs=("begin",), finalizer=act, finalargs=("end",)
    ) as pool:
        for future in [pool.submit(async_calls.double, n) for n in range(5)]:
            future.result(WAIT)

    assert acts == [("begin", "mine_loop"), ("end", "mine_loop")]


def test_an_initializer_that_fails_fails_every_call() -> None:
    with ThreadExecutor(1, initializer=lambda: 1 / 0) as pool:
        future = pool.submit(async_calls.double, 1)

        assert isinstance(future.exception(WAIT), ThreadPoolError)
        with pytest.raises(ThreadPoolError):
            pool.submit(async_calls.double, 1)


def test_what_is_local_belongs_to_the_loop_and_is_ended_with_it() -> None:
    ended: list[object] = []
    local = Local(object, ended.append)

    async def touch() -> object:
        return local.value

    with ThreadExecutor(1) as pool:
        found = {id(pool.submit(touch).result(WAIT)) for _ in range(3)}
        assert len(found) == 1

    assert len(ended) == 1


# --- cancelling and limits


def test_a_coroutine_that_waits_for_its_turn_is_cancelled(gate: async_calls.Gate) -> None:
    with ThreadExecutor(1, async_calls=1) as pool:
        first = pool.submit(gate.wait, "first")
        gate.wait_for(1)
        second = pool.submit(gate.wait, "second")

        assert second.cancel()
        gate.is_open = True
        assert first.result(WAIT) == "first"

    assert second.cancelled()
    assert gate.begun == ["first"]


def test_a_coroutine_that_has_begun_is_not_cancelled_by_default(
    pool: ThreadExecutor, gate: async_calls.Gate
) -> None:
    future = pool.submit(gate.wait, "whole")
    gate.wait_for(1)

    assert future.running()
    assert not future.cancel()
    gate.is_open = True
    assert future.result(WAIT) == "whole"


def test_a_coroutine_can_be_asked_to_stop(pool: ThreadExecutor, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    future = pool.submit(async_calls.mark_and_wait_until_cancelled, str(marks))
    wait_until(marks.exists, "it has begun")

    assert not future.cancel(running="ask")
    assert future.result(WAIT) == "stopped"


def test_kill_cancels_one_coroutine_and_no_other(
    pool: ThreadExecutor, gate: async_calls.Gate, tmp_path: Path
) -> None:
    marks, tidied = tmp_path / "marks", tmp_path / "tidied"
    other = pool.submit(gate.wait, "other")
    future = pool.submit(async_calls.mark_and_tidy_up, str(marks), str(tidied))
    wait_until(marks.exists, "it has begun")

    assert future.cancel(running="kill")

    with pytest.raises(CancelledError):
        future.result(WAIT)
    wait_until(tidied.exists, "its finally has run")
    gate.is_open = True
    assert other.result(WAIT) == "other"


def test_a_timeout_cancels_one_coroutine_and_no_other(
    pool: ThreadExecutor, gate: async_calls.Gate
) -> None:
    ended: list[str] = []

    async def tidy_up() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append("tidied")

    other = pool.submit(gate.wait, "other")
    error = limited(pool, 0.1, tidy_up).exception(WAIT)

    assert isinstance(error, TimeoutError)
    assert "timeout of 0.1 s" in str(error)
    assert ended == ["tidied"]
    gate.is_open = True
    assert other.result(WAIT) == "other"


def test_a_coroutine_that_never_obeys_keeps_nobody(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    with ThreadExecutor(1, async_calls=1) as pool:
        late = limited(pool, 0.1, partial(async_calls.mark_and_never_obey, str(marks)))

        assert isinstance(late.exception(WAIT), TimeoutError)
        assert pool.submit(async_calls.double, 2).result(WAIT) == 4


def test_a_timeout_holds_although_the_loop_is_blocked(pool: ThreadExecutor, tmp_path: Path) -> None:
    async def block() -> None:
        async_calls.wait_for(str(tmp_path / "gate"))

    error = limited(pool, 0.1, block).exception(WAIT)

    assert isinstance(error, TimeoutError)
    (tmp_path / "gate").touch()
    assert pool.submit(async_calls.double, 2).result(WAIT) == 4


def test_current_says_that_nobody_waits(pool: ThreadExecutor) -> None:
    seen: list[bool] = []

    async def look() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            seen.append(current().cancelled)

    future = pool.submit(look)
    wait_until(future.running, "it has begun")
    # In the same loop and later: it has had its first step.
    pool.submit(async_calls.double, 1).result(WAIT)

    assert future.cancel(running="kill")
    wait_until(lambda: seen == [True], "it has seen that")


def test_an_async_generator_is_refused(pool: ThreadExecutor) -> None:
    with pytest.raises(UsageError, match="async generator"):
        pool.submit(async_calls.numbers)


@pytest.mark.parametrize("count", [0, -1, True, 1.5, None])
def test_a_number_that_makes_no_sense_is_refused(count: Any) -> None:
    with pytest.raises(UsageError, match="async_calls"):
        ThreadExecutor(1, async_calls=count)
