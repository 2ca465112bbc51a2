"""Incarnation: a worker goes on under another id when its lease is lost."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lightwork.errors import UsageError
from lightwork.model import State
from lightwork.pool.executor.inline import InlineExecutor
from lightwork.store.contract import Store
from lightwork.work.incarnation import Incarnation, WorkerSettings
from lightwork.work.service import Worker
from waiting import wait_until
from work.jobs import note, submit, wait_for


def test_a_worker_that_was_declared_dead_goes_on_under_another_id(
    store: Store, path: Path, make: Callable[..., Worker]
) -> None:
    worker = make(lease=0.5)
    worker.start()
    wait_until(store.workers, "a worker")
    before = worker._loop.worker_id
    with sqlite3.connect(path, timeout=20) as rows:
        rows.execute("update worker set state = 'dead'")
    rows.close()

    wait_until(lambda: worker._loop.worker_id != before, "another incarnation")
    job_id = submit(store, note, 1)

    wait_for(store, job_id, State.SUCCEEDED)


def test_a_pool_that_takes_longer_to_open_than_a_lease_lasts_costs_no_lease(store: Store) -> None:
    class SlowToOpen(InlineExecutor):
        def begin(self) -> None:
            # Longer than the lease: the time itself is the input.
            time.sleep(0.8)
            super().begin()

    incarnation = Incarnation(
        store,
        WorkerSettings(lease=0.5),
        SlowToOpen,
        slots=1,
        tasks=(),
        wake=lambda: None,
    )

    assert incarnation.is_trusted()
    assert [worker.id for worker in store.workers()] == [incarnation.id]
    incarnation.end()
    store.sign_off(incarnation.id)


@pytest.mark.parametrize(
    "options",
    [
        {"queues": []},
        {"queues": [""]},
        {"lease": 0.1},
        {"lease": float("nan")},
        {"grace": -1},
        {"executor": "gpus:4"},
        {"executor": "threads:0"},
        {"modules": ["lw_absent"]},
    ],
)
def test_an_option_that_makes_no_sense_is_refused_at_once(
    store: Store, options: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
        Worker(store, **options)
