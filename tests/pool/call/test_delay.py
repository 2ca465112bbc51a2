"""`delay` and `priority` of a task on local executors: when a call starts, and which one first."""

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, wait
from pathlib import Path
from typing import Any

import async_calls
import calls
import pytest
import retry_calls

from lightwork.pool.executor.executor import Executor
from lightwork.pool.executor.inline import InlineExecutor
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor
from lightwork.tasks.task import task
from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 30
HOURS = 1e4


class Argument:
    """Something that can be seen to be gone."""


def _open(kind: str) -> Executor:
    if kind == "inline":
        return InlineExecutor()
    return ThreadExecutor(1) if kind == "threads" else ProcessExecutor(1)


@pytest.fixture(params=["threads", "processes", "inline"])
def pool(request: pytest.FixtureRequest) -> Iterator[Executor]:
    with _open(request.param) as executor:
        yield executor


@pytest.fixture(params=["threads", "processes"])
def waiting_pool(request: pytest.FixtureRequest) -> Iterator[Executor]:
    executor = _open(request.param)
    yield executor
    executor.shutdown(cancel_futures=True)


def test_a_call_does_not_start_before_its_delay_is_over(pool: Executor) -> None:
    now = task(delay=0.2)(time.monotonic)
    submitted = time.monotonic()

    # Both clocks are the machine's.
    assert pool.submit(now).result(WAIT) - submitted >= 0.2


def test_the_delay_of_a_map_counts_from_the_map(pool: Executor) -> None:
    double = task(delay=0.1)(calls.double)
    started = time.monotonic()

    assert list(pool.map(double, range(100))) == list(range(0, 200, 2))

    assert time.monotonic() - started >= 0.1


def test_a_delay_holds_nobody_else_up(waiting_pool: Executor) -> None:
    late = waiting_pool.submit(task(delay=HOURS)(abs), -1)

    assert waiting_pool.submit(abs, -2).result(WAIT) == 2
    assert not late.running()
    assert not late.done()


def test_a_delayed_call_can_be_cancelled(waiting_pool: Executor) -> None:
    late = waiting_pool.submit(task(delay=HOURS)(abs), -1)

    assert late.cancel()

    assert wait([late], WAIT).done == {late}
    waiting_pool.shutdown()


@pytest.mark.parametrize("fn", [calls.double, async_calls.double])
def test_a_delayed_call_that_is_cancelled_keeps_no_argument(fn: Callable[[Any], object]) -> None:
    argument = Argument()
    gone = weakref.ref(argument)
    with ThreadExecutor(1) as pool:
        late = pool.submit(task(delay=HOURS)(fn), argument)
        del argument

        assert late.cancel()

        wait_until(lambda: gc.collect() >= 0 and gone() is None, "nobody has the argument")


def test_shutdown_can_drop_delayed_calls(waiting_pool: Executor) -> None:
    late = waiting_pool.submit(task(delay=HOURS)(abs), -1)

    waiting_pool.shutdown(wait=True, cancel_futures=True)

    with pytest.raises(CancelledError):
        late.result(0)


def test_shutdown_waits_for_delayed_calls(waiting_pool: Executor) -> None:
    late = [waiting_pool.submit(task(delay=0.1)(abs), -n) for n in range(5)]

    waiting_pool.shutdown(wait=True)

    assert [future.result(0) for future in late] == list(range(5))


def test_a_delay_comes_before_the_first_attempt_only(pool: Executor, tmp_path: Path) -> None:
    fail_until = task(delay=0.01, retries=2, backoff=0.0)(retry_calls.fail_until)

    assert pool.submit(fail_until, str(tmp_path / "ran"), 3).result(WAIT) == 3


def test_delayed_calls_run_although_nobody_holds_the_executor() -> None:
    for kind in (ThreadExecutor, ProcessExecutor):
        future = kind(1).submit(task(delay=0.1)(abs), -1)
        assert future.result(WAIT) == 1


def test_the_priority_of_a_task_decides_who_is_next(waiting_pool: Executor, tmp_path: Path) -> None:
    ran, go_on = tmp_path / "ran", tmp_path / "go on"
    write = task(calls.append_line)
    waiting_pool.submit(calls.mark_and_wait_for, str(tmp_path / "held"), str(go_on))
    wait_until((tmp_path / "held").exists, "the only place is taken")

    written: list[Future[None]] = [
        waiting_pool.submit(write.options(priority=priority), str(ran), str(priority))
        for priority in (0, -1, 7, 3)
    ]
    go_on.touch()
    wait([*written], WAIT)

    assert ran.read_text().split() == ["7", "3", "0", "-1"]


def test_delayed_calls_do_not_cost_a_thread_each() -> None:
    before = threading.active_count()
    executor = ThreadExecutor(1)

    late = [executor.submit(task(delay=HOURS)(abs), n) for n in range(50)]

    assert threading.active_count() <= before + 2
    executor.shutdown(cancel_futures=True)
    assert all(future.cancelled() for future in late)
