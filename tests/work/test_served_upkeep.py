"""Upkeep of a store that a server offers: done beside the server, left alone by its workers."""

import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from lightwork.errors import StoreError
from lightwork.model import DEFAULT_RETENTION, NewSchedule, State
from lightwork.net.client import carried
from lightwork.net.client.client import ServerStore
from lightwork.net.server.app import App, Receive, Scope, Send
from lightwork.net.wire.about import CHANGES
from lightwork.net.wire.methods import METHODS
from lightwork.store.contract import Store
from lightwork.tasks.task import Task
from lightwork.work.incarnation import WorkerSettings
from lightwork.work.served.server_upkeep import ServerUpkeep
from lightwork.work.served.worker_upkeep import WorkerUpkeep
from lightwork.work.service import Worker
from net.served import served
from waiting import wait_until
from work.jobs import TASKS, note, ran, snooze_once, submit, wait_for

UPKEEP = (
    *("promote", "chores", "run_due_schedules", "unblock", "expire", "readmit"),
    *("rescue", "recount_limits", "fold", "align_clock", "prune", "prune_primitives"),
    "fold_rollups",
)


class CountingApp(App):
    """Counts what it is asked, by path."""

    def __init__(self, store: Store, *, does_upkeep: bool) -> None:
        super().__init__(store, does_upkeep=does_upkeep)
        self.asked: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.asked[scope["path"]] += 1
        await super().__call__(scope, receive, send)

    def count(self, *methods: str) -> int:
        return sum(self.asked[METHODS[name].path] for name in methods)


@contextmanager
def keeping_up(store: Store) -> Iterator[None]:
    upkeep = ServerUpkeep(store, DEFAULT_RETENTION)
    upkeep.start()
    try:
        yield
    finally:
        upkeep.stop()


@contextmanager
def working(url: str, tasks: Iterable[Task[..., Any]] = TASKS) -> Iterator[Worker]:
    worker = Worker(url, executor="threads:1", tasks=tasks)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()
        worker.join()


def test_an_idle_worker_of_such_a_server_asks_for_no_upkeep(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carried, "PART_OF_LEASE", 0.05)
    app = CountingApp(store, does_upkeep=True)

    with served(app) as url, keeping_up(store), working(url):
        # Of three quarters of a second each.
        wait_until(lambda: app.asked[CHANGES] > 8, "it was idle for some seconds")

    assert app.count(*UPKEEP) == 0


def test_a_worker_of_a_server_that_does_not_say_so_does_the_upkeep(store: Store) -> None:
    app = CountingApp(store, does_upkeep=False)

    with served(app) as url, working(url):
        wait_until(lambda: app.count("chores") > 1, "it looks whether anything is due")
        wait_until(lambda: app.count("rescue") > 1, "it looks for the dead")


def test_the_server_promotes_what_was_put_off(store: Store) -> None:
    app = CountingApp(store, does_upkeep=True)

    with served(app) as url, keeping_up(store), working(url):
        job_id = submit(store, note, 7, delay=0.2)
        wait_for(store, job_id, State.SUCCEEDED)

    assert ran == [7]
    assert app.count(*UPKEEP) == 0


def test_the_server_meets_what_is_due_of_schedules(store: Store) -> None:
    with keeping_up(store):
        store.declare_schedules(
            [NewSchedule(name="s", task="m:f", spec="every 1s", payload=b"\x01")]
        )

        wait_until(lambda: store.summary().states[State.READY], "it has become a job")


def test_a_schedule_of_a_workers_own_task_is_declared_by_it_and_run(
    store: Store, ticking: Task[[], None]
) -> None:
    with (
        served(App(store, does_upkeep=True)) as url,
        keeping_up(store),
        working(url, tasks=[ticking]),
    ):
        wait_until(lambda: ran, "it has run")


def test_what_a_worker_has_put_off_itself_it_promotes_in_time(store: Store) -> None:
    app = CountingApp(store, does_upkeep=True)

    # Nobody does it: a server's next look may be half a second away.
    with served(app) as url, working(url):
        job_id = submit(store, snooze_once, 0.02)
        wait_for(store, job_id, State.SUCCEEDED)

    assert app.count("promote") > 0
    assert app.count("rescue", "expire", "readmit") == 0


def test_a_worker_that_keeps_jobs_in_its_own_way_goes_on_to_prune(store: Store) -> None:
    with served(App(store, does_upkeep=True)) as url, ServerStore(url) as client:
        own = WorkerUpkeep(client, WorkerSettings(keep=60.0))
        left = WorkerUpkeep(client, WorkerSettings())
        own.do_due()
        left.do_due()

    assert own.next_at() < time.monotonic() + 60.0
    assert left.next_at() == math.inf


def test_a_worker_in_burst_mode_does_what_is_due_itself(store: Store) -> None:
    app = CountingApp(store, does_upkeep=True)

    with served(app) as url, ServerStore(url) as client:
        WorkerUpkeep(client, WorkerSettings(burst=True)).do_due()

    assert app.count("chores", "rescue") == 2


def test_workers_heed_what_the_server_says_that_is_started_next(store: Store) -> None:
    with served(App(store, does_upkeep=True)) as url:
        client = ServerStore(url)
        before = client.has_upkeep
    try:
        with served(App(store), int(url.rpartition(":")[2])):
            wait_until(lambda: is_asked(client), "the new one answers")
            after = client.has_upkeep
    finally:
        client.close()

    assert (before, after) == (True, False)


def test_an_error_does_not_end_the_servers_upkeep(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = [StoreError("the database is away"), ValueError("nobody expected this")]
    promote = store.promote

    def promote_later(*, limit: int) -> int:
        if errors:
            raise errors.pop()
        return promote(limit=limit)

    monkeypatch.setattr(store, "promote", promote_later)
    job_id = submit(store, note, 7, delay=0.01)

    with keeping_up(store):
        wait_for(store, job_id, State.READY)

    assert errors == []


def test_the_servers_upkeep_stops_before_it_was_started_and_twice(store: Store) -> None:
    upkeep = ServerUpkeep(store, DEFAULT_RETENTION)
    upkeep.stop()

    upkeep.start()
    upkeep.stop()
    upkeep.stop()


def is_asked(client: ServerStore) -> bool:
    with suppress(StoreError):
        client.changes()
        return True
    return False
