"""A call that waits for another of its own pool does not keep that from running."""

import threading
from concurrent import futures
from typing import Any

import lightwork as lw

PATIENCE = 60


def wait_here(event: threading.Event) -> int:
    event.wait(PATIENCE)
    return 1


def test_pool_of_one_does_not_wait_for_itself() -> None:
    def factorial(n: int) -> int:
        return 1 if n < 2 else n * threads.submit(factorial, n - 1).result(PATIENCE)

    with lw.ThreadExecutor(1) as threads:
        assert threads.submit(factorial, 20).result(PATIENCE) == 2432902008176640000


def test_call_that_waits_for_what_was_submitted_before_lets_it_run() -> None:
    gate = threading.Event()
    with lw.ThreadExecutor(1) as threads:
        later: list[lw.Future[Any]] = []
        first = threads.submit(lambda: (gate.wait(PATIENCE), later[0].exception(PATIENCE))[1])
        later.append(threads.submit(int, "7"))
        gate.set()

        assert first.result(PATIENCE) is None


def test_threads_that_were_only_lent_end_again() -> None:
    def nest(n: int) -> int:
        return 0 if n == 0 else 1 + threads.submit(nest, n - 1).result(PATIENCE)

    with lw.ThreadExecutor(1) as threads:
        threads.submit(nest, 10).result(PATIENCE)
        for _ in range(100):
            threads.submit(int).result(PATIENCE)

        assert len(threads._threads) == 1


def test_no_more_calls_than_threads_run_at_once_when_nobody_waits() -> None:
    most, running, lock = 0, 0, threading.Lock()

    def work(gate: threading.Event) -> None:
        nonlocal most, running
        with lock:
            running += 1
            most = max(most, running)
        gate.wait(0.01)
        with lock:
            running -= 1

    gate = threading.Event()
    with lw.ThreadExecutor(2) as threads:
        inner = threads.submit(lambda: threads.submit(wait_here, gate).result(PATIENCE))
        gate.set()
        inner.result(PATIENCE)
        futures.wait([threads.submit(work, threading.Event()) for _ in range(20)], PATIENCE)

    assert most <= 2


def test_place_that_is_lent_is_used_after_a_thread_has_run_what_had_waited() -> None:
    first, begun, gate = threading.Event(), threading.Event(), threading.Event()

    def say_and_wait() -> None:
        begun.set()
        gate.wait(PATIENCE)

    with lw.ThreadExecutor(1) as threads:
        threads.submit(wait_here, first)
        threads.submit(say_and_wait)
        first.set()
        begun.wait(PATIENCE)

        threads.lend(1)
        done = futures.wait([threads.submit(int, "7")], 5).done
        gate.set()

    assert len(done) == 1
