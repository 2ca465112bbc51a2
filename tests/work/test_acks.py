"""Acks: an outcome is kept until the store has it, and refused where the job is no longer ours."""

import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection

from lightwork.model import State
from lightwork.store.contract import Store
from lightwork.store.sqlstore import SqlStore
from lightwork.work.service import Worker
from waiting import wait_until
from work.jobs import (
    block,
    entered,
    grow,
    leave,
    submit,
    wait_for,
)


def test_a_full_disk_delays_an_outcome_and_loses_none(
    store: Store, make: Callable[..., Worker]
) -> None:
    def set_pages(change: Callable[[int], int]) -> None:
        def write(connection: Connection) -> None:
            used = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {change(used)}")

        assert isinstance(store, SqlStore)
        store.database.write(write)

    refused = threading.Event()
    make().start()
    jobs = [submit(store, grow, 200_000) for _ in range(3)]
    assert entered.wait(20)
    set_pages(lambda used: used)
    handler = _Notices("store_unavailable", refused)
    logging.getLogger("lightwork.work.worker").addHandler(handler)

    leave.set()
    assert refused.wait(20)
    set_pages(lambda used: used + 10_000)

    for job_id in jobs:
        wait_for(store, job_id, State.SUCCEEDED)
    logging.getLogger("lightwork.work.worker").removeHandler(handler)
    views = [store.job(job_id) for job_id in jobs]
    assert [view.attempt for view in views if view] == [1, 1, 1]


class _Notices(logging.Handler):
    """Sets an event when something is logged."""

    def __init__(self, words: str, event: threading.Event) -> None:
        super().__init__()
        self._words = words
        self._event = event

    def emit(self, record: logging.LogRecord) -> None:
        if self._words in record.getMessage():
            self._event.set()


def test_the_attempt_of_a_worker_declared_dead_is_refused_late(
    store: Store, path: Path, make: Callable[..., Worker]
) -> None:
    worker = make(lease=0.5, executor="threads:2")
    worker.start()
    job_id = submit(store, block)
    assert entered.wait(20)
    before = worker._loop.worker_id
    with sqlite3.connect(path, timeout=20) as rows:
        rows.execute("update worker set state = 'dead'")
    rows.close()
    wait_until(lambda: worker._loop.worker_id != before, "another incarnation")
    leave.set()

    wait_for(store, job_id, State.SUCCEEDED)

    view = store.job(job_id)
    assert view is not None
    assert view.attempt == 2
