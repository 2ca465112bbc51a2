"""A future's condition is made by the first who waits."""

import threading
from concurrent import futures

import pytest

from lightwork.locks.lazy_condition import LazyCondition
from lightwork.pool.call.future import Future


def test_a_future_has_all_that_one_of_the_standard_library_has() -> None:
    ours: Future[int] = Future()
    theirs: futures.Future[int] = futures.Future()

    assert vars(ours).keys() == vars(theirs).keys()
    assert {key: value for key, value in vars(ours).items() if key != "_condition"} == {
        key: value for key, value in vars(theirs).items() if key != "_condition"
    }


def test_who_does_not_wait_makes_no_condition() -> None:
    future: Future[int] = Future()
    future.set_result(1)

    assert future.result() == 1
    assert not hasattr(future._condition, "_waiting")


def test_all_who_wait_are_woken() -> None:
    future: Future[int] = Future()
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(future.result(30))) for _ in range(5)]
    for thread in threads:
        thread.start()

    future.set_result(3)

    for thread in threads:
        thread.join()
    assert seen == [3] * 5


def test_a_wait_that_is_over_in_time_says_so() -> None:
    future: Future[int] = Future()

    with pytest.raises(TimeoutError):
        future.result(0.01)


def test_the_lock_is_reentrant_as_that_of_a_condition() -> None:
    wakening = LazyCondition()

    with wakening, wakening:
        wakening.acquire()
        wakening.release()
        wakening.notify_all()
