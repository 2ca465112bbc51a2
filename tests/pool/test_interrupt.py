"""A Ctrl-C inside of a call to an executor costs that call at most, never the executor.

See `interrupts.py`.
"""

import signal
from collections.abc import Callable, Iterator
from concurrent import futures
from functools import partial
from typing import Any

import calls
import pytest

from interrupts import interrupted_at
from lightwork.pool.call import CallOptions
from lightwork.pool.executor import Executor
from lightwork.pool.process import ProcessExecutor
from lightwork.pool.thread import ThreadExecutor

WAIT = 20
LARGE = 200_000
POOL = (
    "/lightwork/pool/",
    "/lightwork/uninterrupted.py",
    "/lightwork/wakening.py",
    "/concurrent/futures/",
)


@pytest.fixture
def handler() -> Iterator[None]:
    """Python's own handler, and it is still there afterwards."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


pytestmark = [
    pytest.mark.process,
    pytest.mark.usefixtures("handler"),
    # Python tells so of an interrupt in a finalizer, which cannot raise.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def submit_one(pool: Executor) -> None:
    pool.submit(calls.double, 1)


def submit_many(pool: Executor) -> None:
    for n in range(4):
        pool.submit(calls.double, n)


def submit_large(pool: Executor) -> None:
    pool.submit(calls.length, bytes(LARGE))


def submit_and_cancel(pool: Executor) -> None:
    pool.submit(calls.sleep, 0.0005)
    pool.submit(calls.double, 1).cancel()


def submit_and_wait(pool: Executor) -> None:
    assert pool.submit(calls.sleep, 0.0005, 3).result(WAIT) == 3


def put(pool: Executor) -> None:
    pool.put(bytes(LARGE))


def submit_later(pool: Executor) -> None:
    pool.start_call(calls.double, (1,), {}, CallOptions(start_at=1e-9))


async def double_later(n: int) -> int:
    return 2 * n


def submit_coroutine(pool: Executor) -> None:
    pool.submit(double_later, 1)


ACTS = [
    submit_one,
    submit_many,
    submit_large,
    submit_and_cancel,
    submit_and_wait,
    put,
    submit_later,
    submit_coroutine,
]


def check(pool: Executor, beside: futures.Future[Any]) -> None:
    """The pool runs calls of every kind, and what was submitted before has ended."""
    try:
        assert beside.result(WAIT) == 14
        both = [pool.submit(calls.sleep, 0.0001, n) for n in range(4)]
        assert [future.result(WAIT) for future in both] == [0, 1, 2, 3]
        assert pool.submit(calls.length, bytes(LARGE)).result(WAIT) == LARGE
    except BaseException:
        pool.kill_workers()
        raise


def run_interrupted(pool: Executor, act: Callable[[Executor], None]) -> int:
    step = 1
    while True:
        beside = pool.submit(calls.double, 7)
        # Half of the time the children are idle by then.
        if step % 2:
            beside.result(WAIT)
        if not interrupted_at(step, lambda: act(pool), within=POOL):
            return step
        check(pool, beside)
        step += 1


@pytest.mark.parametrize("act", ACTS)
def test_an_interrupt_at_any_step_leaves_a_pool_of_processes_usable(
    act: Callable[[Executor], None],
) -> None:
    with ProcessExecutor(2) as pool:
        check(pool, pool.submit(calls.double, 7))

        steps = run_interrupted(pool, act)

    assert steps > 10


@pytest.mark.parametrize("act", ACTS)
def test_an_interrupt_at_any_step_leaves_a_pool_of_threads_usable(
    act: Callable[[Executor], None],
) -> None:
    with ThreadExecutor(2) as pool:
        check(pool, pool.submit(calls.double, 7))

        steps = run_interrupted(pool, act)

    assert steps > 2


@pytest.mark.parametrize("make", [ProcessExecutor, ThreadExecutor])
def test_an_interrupt_at_any_step_of_the_first_submit_leaves_the_pool_usable(
    make: Callable[[int], Executor],
) -> None:
    step, found = 1, True
    while found:
        with make(1) as pool:
            found = interrupted_at(step, partial(submit_one, pool), within=POOL)
            check(pool, pool.submit(calls.double, 7))
        # All would take long: a pool is made for each.
        step += 1 if make is ThreadExecutor else 3
