"""A Ctrl-C inside of a call to an executor costs that call at most, never the executor.

See `interrupts.py`.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from functools import partial
from typing import Any

import calls
import pytest

from interrupts import interrupted_at
from lightwork.errors import UsageError
from lightwork.pool.call.options import CallOptions
from lightwork.pool.executor.executor import Executor
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor
from waiting import wait_until

WAIT = 20
LARGE = 200_000
POOL = (
    "/lightwork/pool/",
    "/lightwork/locks/",
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


def map_whole(pool: Executor) -> None:
    assert list(pool.map(calls.double, range(5))) == [0, 2, 4, 6, 8]


def map_one_by_one(pool: Executor) -> None:
    assert list(pool.map(calls.double, range(3), chunksize=1)) == [0, 2, 4]


def map_lazily(pool: Executor) -> None:
    assert list(pool.map(calls.double, iter(range(3)))) == [0, 2, 4]


def map_and_leave(pool: Executor) -> None:
    # More than are started at once, so that the map goes on by itself.
    pool.map(calls.double, range(2000), buffersize=None, chunksize=50)


def map_and_close(pool: Executor) -> None:
    results = pool.map(calls.sleep, [0.0001] * 30, chunksize=10)
    assert next(results) is None
    results.close()


def map_lazily_and_close(pool: Executor) -> None:
    results = pool.map(calls.double, iter(range(9)), buffersize=3)
    assert next(results) == 0
    results.close()


MAPS = [
    map_whole,
    map_one_by_one,
    map_lazily,
    map_and_leave,
    map_and_close,
    map_lazily_and_close,
]
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
        if (maps := pool._open_maps) is not None:
            wait_until(lambda: not maps._feeding, "every map has started its calls or given up")
            # A lazy map may have been interrupted just before its results were used.
            with contextlib.suppress(UsageError):
                maps.check_read()
    except BaseException:
        pool.kill_workers()
        raise


def run_interrupted(pool: Executor, act: Callable[[Executor], None], *, stride: int = 1) -> int:
    step = 1
    while True:
        beside = pool.submit(calls.double, 7)
        # Half of the time the children are idle by then.
        if step % 2:
            beside.result(WAIT)
        if not interrupted_at(step, lambda: act(pool), within=POOL):
            return step
        check(pool, beside)
        step += stride


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


@pytest.mark.parametrize("act", MAPS)
def test_an_interrupt_at_any_step_of_a_map_leaves_a_pool_of_processes_that_ends(
    act: Callable[[Executor], None],
) -> None:
    with ProcessExecutor(2) as pool:
        check(pool, pool.submit(calls.double, 7))

        # Those of threads try every step of what is common to both.
        steps = run_interrupted(pool, act, stride=5)

    assert steps > 50


@pytest.mark.parametrize("act", MAPS)
def test_an_interrupt_at_any_step_of_a_map_leaves_a_pool_of_threads_that_ends(
    act: Callable[[Executor], None],
) -> None:
    with ThreadExecutor(2) as pool:
        check(pool, pool.submit(calls.double, 7))

        steps = run_interrupted(pool, act)

    assert steps > 50


def leave_block(pool: Executor) -> None:
    with pool:
        pool.map(calls.sleep, [0.0001] * 2000, chunksize=1)
        # Read too, or not begun: both keep the pool.
        next(pool.map(calls.double, range(2000), chunksize=500))


@pytest.mark.parametrize("make", [ProcessExecutor, ThreadExecutor])
def test_an_interrupt_at_any_step_of_a_block_with_maps_lets_the_pool_end(
    make: Callable[[int], Executor],
) -> None:
    step, found = 1, True
    while found:
        pool = make(2)
        found = interrupted_at(step, partial(leave_block, pool), within=POOL)
        ending = threading.Thread(target=pool.shutdown, daemon=True)
        ending.start()
        ending.join(WAIT)
        assert not ending.is_alive(), f"the pool never ends after an interrupt at step {step}"
        # Odd, so that it meets every place sooner or later.
        step += 7 * step // 40 + 3

    assert step > 50


def test_an_interrupt_in_a_block_of_threads_cancels_what_has_not_begun() -> None:
    started, release = threading.Event(), threading.Event()

    def hold() -> None:
        started.set()
        release.wait(WAIT)

    pool = ThreadExecutor(1)
    with contextlib.suppress(KeyboardInterrupt), pool:
        running = pool.submit(hold)
        waiting = pool.submit(hold)
        started.wait(WAIT)
        waiting.add_done_callback(lambda _: release.set())
        raise KeyboardInterrupt

    assert waiting.cancelled()
    assert running.result(WAIT) is None


@pytest.mark.parametrize("make", [ProcessExecutor, ThreadExecutor])
def test_an_interrupt_in_a_callback_reaches_whoever_cancelled(
    make: Callable[[int], Executor],
) -> None:
    called: list[str] = []

    def interrupt(_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    with make(1) as pool:
        first = pool.submit(calls.sleep, 0.2)
        waiting = [pool.submit(calls.double, n) for n in range(50)]
        # The last, which no child has been given yet.
        waiting[-1].add_done_callback(interrupt)
        waiting[-1].add_done_callback(lambda _: called.append("behind it"))

        with pytest.raises(KeyboardInterrupt):
            waiting[-1].cancel()

        assert called == ["behind it"]
        # Whoever waits for it beside is told.
        done, _ = futures.wait([waiting[-1]], WAIT)
        assert done
        assert first.result(WAIT) is None


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
