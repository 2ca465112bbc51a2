"""Callbacks of durable futures: they run users' code, so nothing else may wait for them."""

import threading
from pathlib import Path

import pytest

from face.jobs import fail_first, sleep, square, wait_for
from lightwork.durable.executor import DurableExecutor
from lightwork.model import State
from waiting import wait_until

pytestmark = pytest.mark.process


def test_slow_callbacks_hold_up_no_job(shared: DurableExecutor, tmp_path: Path) -> None:
    begun, leave = threading.Semaphore(0), threading.Event()

    def wait_for_leave(_: object) -> None:
        begun.release()
        leave.wait(60)

    try:
        # One may be told by the thread that reads the store, the next then by the worker.
        for name in ("one", "two"):
            future = shared.submit(wait_for, str(tmp_path / name))
            future.add_done_callback(wait_for_leave)
            (tmp_path / name).touch()
        assert begun.acquire(timeout=60)

        later = [future.job_id for future in shared.submit_many(square, [(2,)] * 50)]
        wait_until(
            lambda: set(shared.store.states(later).values()) == {State.SUCCEEDED},
            "jobs behind slow callbacks are done",
        )
    finally:
        leave.set()


def test_a_callback_may_shut_the_executor_down(url: str) -> None:
    is_over = threading.Event()
    executor = DurableExecutor(url, workers=1)

    def shut_down(_: object) -> None:
        executor.shutdown()
        is_over.set()

    futures = [executor.submit(square, number) for number in range(20)]
    futures[0].add_done_callback(shut_down)

    assert is_over.wait(60)
    assert [future.result(20) for future in futures] == [number**2 for number in range(20)]


def test_a_callback_that_exits_does_not_end_the_worker(shared: DurableExecutor) -> None:
    def leave(_: object) -> None:
        raise SystemExit

    first = shared.submit(sleep, 0.05)
    first.add_done_callback(leave)

    assert first.result(20) == 0.05
    assert shared.submit(square, 3).result(20) == 9


def test_a_late_word_of_a_failed_attempt_does_not_end_the_future_of_the_next(
    url: str, tmp_path: Path
) -> None:
    go, leave, is_said = tmp_path / "go", threading.Event(), threading.Event()
    held = threading.Semaphore(0)

    def wait_for_leave(_: object) -> None:
        held.release()
        leave.wait(60)

    with DurableExecutor(url, workers=1) as executor:
        try:
            # What the worker says stays behind this; what the store says does not.
            executor._delivery.give(lambda: wait_for_leave(None))
            assert held.acquire(timeout=60)
            (first,) = executor.submit_many(fail_first, [(str(go),)], key="k")
            assert first.exception(60) is not None

            (second,) = executor.submit_many(fail_first, [(str(go),)], key="k", failed="retry")
            leave.set()
            executor._delivery.give(is_said.set)
            assert is_said.wait(60)
            go.touch()
        finally:
            leave.set()

        assert second.result(60) == 2
