"""Stopping: what runs may finish, what waits goes back."""

import threading
from collections.abc import Callable

from lightwork.model import State
from lightwork.store.contract import Store
from lightwork.work.service import Worker
from work.jobs import block, count_turns, entered, leave, note, submit, wait_for


def test_stopping_lets_running_jobs_finish_and_hands_back_the_others(
    store: Store, make: Callable[..., Worker]
) -> None:
    running, waiting = submit(store, block), submit(store, note, 1)
    worker = make()
    worker.start()
    assert entered.wait(20)

    worker.stop()
    wait_for(store, waiting, State.READY)
    leave.set()
    worker.join()

    assert store.states([running]) == {running: State.SUCCEEDED}
    assert not store.workers()


def test_a_job_that_was_handed_back_has_used_nothing_up(
    store: Store, make: Callable[..., Worker]
) -> None:
    submit(store, block)
    waiting = submit(store, note, 1)
    first = make(executor="threads:1")
    first._loop._slots = 2  # claims one more than its threads can run
    first.start()
    assert entered.wait(20)
    wait_for(store, waiting, State.RUNNING)

    first.stop()
    wait_for(store, waiting, State.READY)

    view = store.job(waiting)
    assert view is not None
    assert (view.failures, view.crashes, store.attempts(waiting)) == (0, 0, [])


def test_stop_may_come_before_start_and_many_times(make: Callable[..., Worker]) -> None:
    worker = make()

    for _ in range(5):
        worker.stop()
    worker.start()
    worker.join()
    worker.stop()
    worker.join()


def test_join_may_come_before_start(make: Callable[..., Worker]) -> None:
    make().join()


def test_a_stopping_worker_sleeps_while_its_jobs_finish(
    store: Store, make: Callable[..., Worker]
) -> None:
    submit(store, block)
    worker = make()
    worker.start()
    assert entered.wait(20)
    worker.stop()
    turns = count_turns(worker)

    threading.Event().wait(0.5)

    assert turns() < 20
