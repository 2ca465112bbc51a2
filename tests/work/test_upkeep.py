"""Upkeep: what a worker says of what it does for others."""

import logging
import math
import secrets
import sqlite3
import subprocess
import sys
import threading
import uuid
from contextlib import closing
from pathlib import Path

import pytest

from lightwork.clock import monotonic
from lightwork.durable.ids import new_job_id
from lightwork.errors import UsageError
from lightwork.model import NewJob, Policy, Retention, WorkerInfo
from lightwork.store.contract import Store
from lightwork.store.sqlstore import open_store
from lightwork.work.service import Worker
from lightwork.work.upkeep import Upkeep
from store.primitive_steps import Session
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
    caplog.set_level(logging.DEBUG, "lightwork.work.upkeep")
    store = open_store(f"sqlite:///{tmp_path}/work.db")
    try:
        hold_and_die(store)

        wait_until(lambda: Upkeep(store, 15.0).do_due(), "the jobs of the dead are rescued")
    finally:
        store.close()

    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert [text for level, text in said if level == "WARNING"] == [
        f"jobs_rescued jobs={JOBS} dead_workers=1"
    ]


def test_where_nothing_is_due_promoting_does_not_wait_for_those_who_write(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/work.db")
    writer = sqlite3.connect(tmp_path / "work.db", isolation_level=None)
    promoting = threading.Thread(target=Upkeep(store, 15.0)._promote, args=(0.0,))
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
            upkeep = Upkeep(store, 3600.0)
            assert upkeep.do_due() == []

            holder.kill()

        wait_until(upkeep.do_due, "the job of the dead is rescued")
        assert not store.has_dead()
    assert list((tmp_path / "work.db-workers").iterdir()) == []


def ended_long_ago(store: Store, path: Path, count: int) -> None:
    store.submit([NewJob(id=new_job_id(), task="m:f", payload=b"\x01") for _ in range(count)])
    store.cancel([view.id for view in store.jobs(limit=count)])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE outcome SET finished_at = 1")


def test_what_ended_long_ago_is_pruned_batch_by_batch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lightwork.work.upkeep")
    with closing(open_store(f"sqlite:///{tmp_path}/work.db")) as store:
        ended_long_ago(store, tmp_path / "work.db", 250)
        upkeep = Upkeep(store, 15.0)
        upkeep._prune_at = 0.0

        def is_done() -> bool:
            upkeep.do_due()
            return bool(caplog.messages)

        wait_until(is_done, "all is pruned")

        assert store.jobs() == []
    assert caplog.messages == ["jobs_pruned jobs=250"]


def test_where_jobs_are_kept_for_ever_none_is_pruned(tmp_path: Path) -> None:
    with closing(open_store(f"sqlite:///{tmp_path}/work.db")) as store:
        ended_long_ago(store, tmp_path / "work.db", 2)
        upkeep = Upkeep(store, 15.0, Retention.all(math.inf))
        upkeep._prune_at = 0.0

        upkeep.do_due()

        assert len(store.jobs()) == 2
        assert upkeep._prune_at > 0


def test_what_lost_sessions_held_is_let_go_where_nobody_asks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lightwork.work.upkeep")
    with closing(open_store(f"sqlite:///{tmp_path}/work.db")) as store:
        session = Session(store)
        assert store.renew_session(session.id, lease=0.0)
        upkeep = Upkeep(store, 15.0)
        upkeep._prune_at = 0.0

        upkeep.do_due()

    assert caplog.messages == ["primitives_pruned primitives=1"]


def test_a_worker_prunes_by_default_and_by_what_it_is_told(tmp_path: Path) -> None:
    with closing(open_store(f"sqlite:///{tmp_path}/work.db")) as store:
        plain = Worker(store, executor="inline")
        told = Worker(store, executor="inline", keep=3600.0)

    assert plain._loop._upkeep._upkeep._keep == Retention(
        succeeded=7 * 86400, failed=30 * 86400, cancelled=7 * 86400
    )
    assert told._loop._upkeep._upkeep._keep == Retention.all(3600.0)


@pytest.mark.parametrize("keep", [59.0, -1.0, math.nan, Retention(failed=0.0)])
def test_jobs_are_not_deleted_before_anybody_could_read_them(
    tmp_path: Path, keep: Retention | float
) -> None:
    with pytest.raises(UsageError, match="keep must be 60 seconds or more"):
        Worker(f"sqlite:///{tmp_path}/new.db", executor="inline", keep=keep)


def next_look_in(store: Store, *, changes: int = 0) -> float:
    """Seconds until what did its part when 0 changes were known is to do so again."""
    numbers = iter([0, 0])
    upkeep = Upkeep(store, 3600.0, changes=lambda: next(numbers, changes))
    # At first some time within a minute.
    upkeep._prune_at = math.inf
    upkeep.do_due()
    upkeep.do_due()
    return upkeep.next_at() - monotonic()


def without_deaths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightwork.work.upkeep._DEATH_SECONDS", 3600.0)


def test_while_nothing_changes_a_store_is_looked_at_when_time_brings_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_deaths(monkeypatch)
    with closing(open_store(f"sqlite:///{tmp_path}/work.db")) as store:
        bare = next_look_in(store)
        store.submit(
            [NewJob(id=new_job_id(), task="m:f", payload=b"\x01", policy=Policy(expires=3.0))]
        )
        expiring = next_look_in(store)
        store.submit(
            [NewJob(id=new_job_id(), task="m:f", payload=b"\x01", policy=Policy(delay=2.0))]
        )
        scheduled = next_look_in(store)

    assert 3.0 < bare <= 5.0
    assert 0.5 < expiring <= 3.0
    assert 0.5 < scheduled <= 2.0


def test_after_a_change_it_is_looked_at_within_half_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_deaths(monkeypatch)
    with closing(open_store(f"sqlite:///{tmp_path}/work.db")) as store:
        assert next_look_in(store, changes=1) <= 0.5
