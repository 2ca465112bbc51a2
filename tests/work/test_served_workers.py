"""Workers of a server: what they ask while they have nothing to do, and how soon they hear what they are told."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lightwork.model import State
from lightwork.net.client import carried
from lightwork.net.server.app import App
from lightwork.net.wire.about import CHANGES
from lightwork.pool.call.current import current
from lightwork.store.contract import Store
from lightwork.tasks.task import task
from lightwork.work.service import Worker
from net.served import served
from waiting import wait_until
from work.jobs import entered, leave, note, ran, submit, wait_for
from work.test_served_upkeep import CountingApp

# Longer than any test: neither a heartbeat nor the end of a poll brings anything.
NO_HEARTBEATS = 3600.0


@task
def until_cancelled() -> None:
    entered.set()
    while not current().cancelled:
        leave.wait(0.005)


@contextmanager
def working(url: str, lease: float) -> Iterator[Worker]:
    worker = Worker(url, executor="threads:1", tasks=[note, until_cancelled], lease=lease)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()
        worker.join()


def test_an_idle_worker_lives_by_its_polls_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carried, "LEAST_LEASE", 1.0)
    app = CountingApp(store, does_upkeep=True)
    with served(app) as url, working(url, lease=2.0):
        wait_until(lambda: app.asked[CHANGES] > 3, "its polls have begun")
        before = app.count("renew")
        # Of 1.3 seconds each, so for longer than its lease.
        wait_until(lambda: app.asked[CHANGES] > 6, "it has waited for long")
        (view,) = store.workers()
        renewed = app.count("renew") - before

        job_id = submit(store, note, 7)
        wait_for(store, job_id, State.SUCCEEDED)
        (after,) = store.workers()

    assert view.is_live
    assert (renewed, ran) == (0, [7])
    assert view.id == after.id


def test_a_running_job_of_a_remote_worker_hears_that_it_is_cancelled_before_any_heartbeat(
    store: Store,
) -> None:
    with served(App(store, does_upkeep=True)) as url, working(url, NO_HEARTBEATS):
        job_id = submit(store, until_cancelled)
        assert entered.wait(30)
        store.cancel([job_id], running="ask")

        wait_until(lambda: store.outcomes([job_id]), "it has ended", within=15)


def test_an_idle_remote_worker_hears_that_it_is_to_end_before_any_heartbeat(store: Store) -> None:
    with served(App(store, does_upkeep=True)) as url, working(url, NO_HEARTBEATS):
        wait_until(store.workers, "it is there")
        (view,) = store.workers()
        store.drain([view.id])

        wait_until(lambda: not store.workers(), "it has signed off", within=15)
