"""Chores: what a worker says of what it does for others."""

import logging
import secrets
import sqlite3
import subprocess
import sys
import threading
import uuid
from contextlib import closing
from pathlib import Path

import pytest

from lightwork.model import NewJob, WorkerInfo
from lightwork.store.contract import Store
from lightwork.store.sqlstore import open_store
from lightwork.work.chores import Chores
from lightwork.work.ids import new_job_id
from waiting import wait_until

JOBS = 30


def hold_and_die(store: Store) -> None:
    store.submit([NewJob(id=new_job_id(), task="m:f", payload=b"\x01") for _ in range(JOBS)])
    worker = uuid.UUID(bytes=secrets.token_bytes(16))
    info = WorkerInfo(id=worker, name="ada", host="h", pid=1, slots=JOBS, queues=("default",))
    store.register(info, lease=600.0)
    assert len(store.claim(worker, lanes=store.lanes(["default"]), limit=JOBS)) == JOBS
    assert store.renew(worker, lease=0.001)


def test_a_rescue_of_many_jobs_warns_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "lightwork.work.chores")
    store = open_store(f"sqlite:///{tmp_path}/work.db")
    try:
        hold_and_die(store)

        wait_until(lambda: Chores(store, 15.0).do_due(), "the jobs of the dead are rescued")
    finally:
        store.close()

    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert [text for level, text in said if level == "WARNING"] == [
        f"jobs_rescued jobs={JOBS} dead_workers=1"
    ]
    assert sum(text.startswith("job_rescued job=") for level, text in said) == JOBS


def test_where_nothing_is_due_promoting_does_not_wait_for_those_who_write(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/work.db")
    writer = sqlite3.connect(tmp_path / "work.db", isolation_level=None)
    promoting = threading.Thread(target=Chores(store, 15.0)._promote, args=(0.0,))
    try:
        writer.execute("begin immediate")
        promoting.start()

        promoting.join(20)

        assert not promoting.is_alive()
    finally:
        writer.close()
        promoting.join()
        store.close()


HOLDER = """
import sys, uuid
from lightwork.model import WorkerInfo
from lightwork.store.sqlstore import open_store
store = open_store(sys.argv[1])
worker = uuid.uuid4()
info = WorkerInfo(id=worker, name="ada", host="h", pid=1, slots=9, queues=("default",))
store.register(info, lease=3600.0, is_here=True)
store.claim(worker, lanes=store.lanes(["default"]), limit=9)
print("at work", flush=True)
sys.stdin.read()
"""


def test_a_worker_that_is_at_work_hears_of_a_death_long_before_the_lease_ends(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/work.db"
    with closing(open_store(url)) as store:
        store.submit([NewJob(id=new_job_id(), task="m:f", payload=b"\x01")])
        command = [sys.executable, "-c", HOLDER, url]
        with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "at work\n"
            chores = Chores(store, 3600.0)
            assert chores.do_due() == []

            holder.kill()

        wait_until(chores.do_due, "the job of the dead is rescued")
        assert not store.has_dead()
    assert list((tmp_path / "work.db-workers").iterdir()) == []
