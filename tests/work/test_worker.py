"""Worker: claims, runs and records on a real SQLite file, on threads of this process."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lightwork.codec import Subject
from lightwork.errors import PoolError
from lightwork.model import State
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor
from lightwork.store.contract import Store
from lightwork.work.catalog import Catalog
from lightwork.work.incarnation import WorkerSettings
from lightwork.work.service import Worker
from lightwork.work.worker import WorkerLoop
from waiting import wait_until
from work.jobs import CODEC, TASKS, count_turns, fail_once, note, ran, snooze_once, submit, wait_for


@pytest.mark.parametrize("executor", ["inline", "threads:2", "processes:1"])
def test_a_job_runs_on_every_kind_of_pool(
    store: Store, make: Callable[..., Worker], executor: str
) -> None:
    job_id = submit(store, note, 7)

    make(executor=executor, burst=True).run()

    outcome = store.outcomes([job_id])[job_id]
    assert CODEC.decode_result(Subject(job_id, note.name), outcome.result) == 7


def test_a_burst_ends_when_nothing_is_left(store: Store, make: Callable[..., Worker]) -> None:
    for number in range(50):
        submit(store, note, number)

    make(burst=True).run()

    assert sorted(ran) == list(range(50))


def test_a_job_submitted_to_an_idle_worker_runs(store: Store, make: Callable[..., Worker]) -> None:
    make().start()

    job_id = submit(store, note, 1)

    wait_for(store, job_id, State.SUCCEEDED)


def test_a_task_that_asks_to_be_run_later_is_and_has_not_failed(
    store: Store, make: Callable[..., Worker]
) -> None:
    make().start()

    job_id = submit(store, snooze_once, 0.02)

    wait_for(store, job_id, State.SUCCEEDED)
    view = store.job(job_id)
    assert view is not None
    assert (ran, view.attempt, view.failures, store.attempts(job_id)) == ([1, 2], 2, 0, [])


def test_who_asks_to_be_run_later_gives_the_slot_back(
    store: Store, make: Callable[..., Worker]
) -> None:
    make().start()
    later = submit(store, snooze_once, 3600.0)
    wait_for(store, later, State.SCHEDULED)

    job_id = submit(store, note, 1)

    wait_for(store, job_id, State.SUCCEEDED)


def test_a_retry_runs_when_it_is_due(store: Store, make: Callable[..., Worker]) -> None:
    make().start()

    job_id = submit(store, fail_once)

    wait_for(store, job_id, State.SUCCEEDED)
    assert len(ran) == 2


def test_higher_priorities_run_first(store: Store, make: Callable[..., Worker]) -> None:
    for number in (1, 3, 2):
        submit(store, note, number, priority=number)

    make(burst=True).run()

    assert ran == [3, 2, 1]


def test_a_damaged_row_fails_and_its_neighbours_run(
    store: Store, path: Path, make: Callable[..., Worker]
) -> None:
    bad, good = submit(store, note, 1), submit(store, note, 2)
    with sqlite3.connect(path) as rows:
        rows.execute("update job set policy = 'not json' where id = ?", (bad.bytes,))
    rows.close()

    make(burst=True).run()

    assert store.states([bad, good]) == {bad: State.FAILED, good: State.SUCCEEDED}


@pytest.mark.process
def test_a_worker_whose_pool_breaks_says_so_and_leaves_its_jobs_unharmed(store: Store) -> None:
    def broken() -> ProcessExecutor:
        return ProcessExecutor(1, initializer=_no_licence)

    job_id = submit(store, note, 1)
    loop = WorkerLoop(
        store,
        broken,
        slots=1,
        catalog=Catalog(TASKS),
        codec=CODEC,
        settings=WorkerSettings(),
    )

    with pytest.raises(PoolError):
        loop.run()

    view = store.job(job_id)
    assert view is not None
    assert (view.state, view.failures, view.crashes) == (State.READY, 0, 0)


def _no_licence() -> None:
    raise OSError("no licence")


def test_an_idle_worker_uses_next_to_no_time(store: Store, make: Callable[..., Worker]) -> None:
    worker = make()
    worker.start()
    wait_until(store.workers, "a worker")
    turns = count_turns(worker)

    # Nothing can be waited for where nothing may happen: time itself is the input.
    threading.Event().wait(1.0)

    assert turns() < 20


class Picky(ThreadExecutor):
    """A pool that cannot take every call."""

    def start_call(self, fn: Any, args: Any, kwargs: Any, options: Any) -> Any:
        if options.priority == 13:
            raise OverflowError("no call of this priority")
        return super().start_call(fn, args, kwargs, options)


def test_a_call_that_cannot_be_started_fails_its_job_and_not_the_worker(store: Store) -> None:
    bad, good = submit(store, note, 1, priority=13), submit(store, note, 2)

    WorkerLoop(
        store,
        lambda: Picky(1),
        slots=1,
        catalog=Catalog(TASKS),
        codec=CODEC,
        settings=WorkerSettings(burst=True),
    ).run()

    found = store.outcomes([bad, good])
    assert [found[bad].state, found[good].state] == [State.FAILED, State.SUCCEEDED]
    error = found[bad].error
    assert error is not None
    assert error.type == "OverflowError"


def test_a_row_whose_policy_nobody_can_obey_fails_alone(
    store: Store, path: Path, make: Callable[..., Worker]
) -> None:
    bad, good = submit(store, note, 1, timeout=5), submit(store, note, 2)
    with sqlite3.connect(path) as connection:
        changed = connection.execute("UPDATE job SET policy = '{\"timeout\":1e20}' WHERE seq = 1")
        assert changed.rowcount == 1

    make(executor="processes:1", burst=True).run()

    found = store.outcomes([bad, good])
    assert [found[bad].state, found[good].state] == [State.FAILED, State.SUCCEEDED]
