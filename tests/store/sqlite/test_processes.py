"""Several processes on one SQLite file."""

import errno
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lightwork.model import Lane, NewJob
from lightwork.store.sqlite.bell.inotify import Inotify
from lightwork.store.sqlite.watch import Watch
from lightwork.store.sqlstore import SqlStore
from store.steps import claim_one, new_job, registered, submitted
from waiting import wait_until


def child(code: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.fixture
def file_store(store: SqlStore) -> SqlStore:
    return store


# Several processes.

OPEN = """
import sys
from lightwork.store.sqlite.bell.inotify import Inotify
from lightwork.store.sqlite.watch import Watch
from lightwork.store.sqlstore import SqlStore
sys.stdin.readline()
with SqlStore(sys.argv[1]) as store:
    print(store.summary().running, flush=True)
"""


def test_processes_that_open_a_new_file_at_once_all_succeed(url: str) -> None:
    openers = [child(OPEN, url) for _ in range(3)]

    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write("go\n")
        opener.stdin.flush()

    assert [opener.communicate(timeout=60) for opener in openers] == [("0\n", "")] * 3


SUBMIT = """
import sys, uuid
from lightwork.model import Lane, NewJob
from lightwork.store.sqlite.bell.inotify import Inotify
from lightwork.store.sqlite.watch import Watch
from lightwork.store.sqlstore import SqlStore
with SqlStore(sys.argv[1]) as store:
    sys.stdin.readline()
    store.submit([NewJob(id=uuid.uuid4(), task="t:t", payload=b"")])
"""


def test_commit_of_another_process_wakes_who_waits(file_store: SqlStore, url: str) -> None:
    with child(SUBMIT, url) as other:
        assert other.stdin is not None
        seen = file_store.changes()
        other.stdin.write("go\n")
        other.stdin.flush()

        woken = file_store.wait_for_change(seen, 60.0)

        assert woken != seen
        assert other.communicate(timeout=60) == ("", "")


def test_commit_of_another_process_is_heard_without_looking(
    file_store: SqlStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Watch, "_next_pause", lambda _: 3600.0)
    with child(SUBMIT, url) as other:
        assert other.stdin is not None
        # The first who waits begins to listen; what comes before is found by looking.
        seen = file_store.wait_for_change(-1, 0.0)
        if file_store.database.file.bell._inotify is None:  # type: ignore[attr-defined]
            pytest.skip("no inotify here")
        other.stdin.write("go\n")
        other.stdin.flush()

        assert file_store.wait_for_change(seen, 60.0) != seen


def test_without_inotify_a_commit_is_found_by_looking(
    file_store: SqlStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: Inotify, _path: Path) -> None:
        raise OSError(errno.EMFILE, "no more of it for this user")

    monkeypatch.setattr(Inotify, "__init__", refuse)
    with child(SUBMIT, url) as other:
        assert other.stdin is not None
        seen = file_store.wait_for_change(-1, 0.0)
        other.stdin.write("go\n")
        other.stdin.flush()

        assert file_store.wait_for_change(seen, 60.0) != seen


def test_own_commit_wakes_who_waits(file_store: SqlStore) -> None:
    seen = file_store.changes()
    woken: list[int] = []
    waiter = threading.Thread(target=lambda: woken.append(file_store.wait_for_change(seen, 60.0)))
    waiter.start()

    submitted(file_store)

    waiter.join(60)
    assert woken[0] != seen


def test_own_submit_wakes_nobody_who_waits_for_ends(file_store: SqlStore) -> None:
    # The first commit of a connection may be anybody's.
    submitted(file_store)
    seen = file_store.wait_for_change(-1, 0.0, but_submits=True)

    job_id = submitted(file_store)
    assert file_store.wait_for_change(seen, 0.0, but_submits=True) == seen

    file_store.cancel([job_id])
    assert file_store.wait_for_change(seen, 0.0, but_submits=True) != seen


def test_own_submit_wakes_nobody_who_waits_for_ends_although_others_have_committed(
    file_store: SqlStore, path: Path
) -> None:
    submitted(file_store)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE users_own (id INTEGER)")
        seen = file_store.wait_for_change(-1, 0.0, but_submits=True)

        submitted(file_store)
        assert file_store.wait_for_change(seen, 0.0, but_submits=True) == seen

        other.execute("INSERT INTO users_own VALUES (1)")
        submitted(file_store)
        assert file_store.wait_for_change(seen, 0.0, but_submits=True) != seen


def test_claims_and_heartbeats_wake_nobody_where_the_bell_is_heard(
    file_store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightwork.store.sqlite.watch.HEARD_PAUSE", 3600.0)
    file_store.wait_for_change(-1, 0.0)
    file: Any = file_store.database.file  # type: ignore[attr-defined]
    if file.bell._inotify is None:
        pytest.skip("no inotify here")
    worker = registered(file_store)
    submitted(file_store)
    seen = file_store.changes()
    woken: list[int] = []
    waiter = threading.Thread(target=lambda: woken.append(file_store.wait_for_change(seen, 60.0)))
    waiter.start()
    wait_until(lambda: file.watch._is_watched, "somebody to look")

    claimed = file_store.claim(worker, lanes=[Lane("default", "jobs:work")], limit=1)
    file_store.renew(worker, lease=60.0)
    before = list(woken)
    submitted(file_store)
    waiter.join(60)

    assert (len(claimed), before) == (1, [])
    assert woken[0] != seen


def test_own_claims_and_heartbeats_are_no_news_to_whoever_looks(file_store: SqlStore) -> None:
    worker = registered(file_store)
    submitted(file_store)
    seen = file_store.changes()

    claimed = file_store.claim(worker, lanes=[Lane("default", "jobs:work")], limit=1)
    file_store.renew(worker, lease=60.0)

    assert (len(claimed), file_store.changes()) == (1, seen)


@pytest.mark.parametrize("has_looked", [False, True])
def test_a_commit_of_another_program_is_found_whatever_heartbeats_are_around_it(
    file_store: SqlStore, path: Path, has_looked: bool
) -> None:
    worker = registered(file_store)
    other = sqlite3.connect(path, isolation_level=None)
    file_store.renew(worker, lease=60.0)
    seen = file_store.changes()

    with closing(other):
        other.execute("CREATE TABLE users_own (id INTEGER)")
        if has_looked:
            first = file_store.changes()
            assert first != seen
            other.execute("INSERT INTO users_own VALUES (1)")
            seen = first
        for _ in range(3):
            file_store.renew(worker, lease=60.0)

        assert file_store.changes() != seen


FORK = """
import os, sys
from lightwork.errors import StoreError
from lightwork.store.sqlite.bell.inotify import Inotify
from lightwork.store.sqlite.watch import Watch
from lightwork.store.sqlstore import SqlStore
store = SqlStore(sys.argv[1])
child = os.fork()
if child == 0:
    try:
        store.summary()
    except StoreError as error:
        print(error, flush=True)
    store.close()
    with SqlStore(sys.argv[1]) as again:
        print(again.summary().running, flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(store.summary().running)
store.close()
"""


def test_forked_child_must_open_the_store_again(url: str) -> None:
    with child(FORK, url) as parent:
        output, errors = parent.communicate(timeout=60)

    first, *rest = output.splitlines()
    assert "open it again in the child" in first
    assert (rest, errors) == (["0", "0"], "")


WORK = """
import sys, threading, uuid
from lightwork.lifecycle import Succeeded
from lightwork.model import State, WorkerInfo
from lightwork.store.sqlite.bell.inotify import Inotify
from lightwork.store.sqlite.watch import Watch
from lightwork.store.sqlstore import SqlStore

def work(store, count):
    worker = WorkerInfo(id=uuid.uuid4(), name="w", host="h", pid=1, slots=20)
    store.register(worker, lease=600)
    while True:
        seen = store.changes()
        lanes = store.lanes(["default"])
        claimed = store.claim(worker.id, lanes=lanes, limit=20)
        ends = [(attempt, Succeeded(attempt.job_id.bytes)) for attempt in claimed]
        assert store.ack(worker.id, ends) == []
        if not claimed:
            if store.summary().states[State.SUCCEEDED] == count:
                return
            store.wait_for_change(seen, 10.0)

with SqlStore(sys.argv[1]) as store:
    threads = [threading.Thread(target=work, args=(store, int(sys.argv[2]))) for _ in range(2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""


def test_processes_and_threads_at_once_lose_nothing_and_see_no_lock(
    file_store: SqlStore, url: str
) -> None:
    jobs: list[NewJob] = [new_job() for _ in range(2000)]
    workers = [child(WORK, url, str(len(jobs))) for _ in range(2)]

    for start in range(0, len(jobs), 100):
        file_store.submit(jobs[start : start + 100])

    assert [worker.communicate(timeout=100) for worker in workers] == [("", "")] * 2
    outcomes = file_store.outcomes(job.id for job in jobs)
    assert {job.id: job.id.bytes for job in jobs} == {
        job_id: outcome.result for job_id, outcome in outcomes.items()
    }
    assert {outcome.attempt for outcome in outcomes.values()} == {1}
    assert file_store.check() == []


def test_job_of_a_worker_process_that_was_killed_is_rescued(
    file_store: SqlStore, url: str, path: Path
) -> None:
    job_id = submitted(file_store)
    code = (
        "import sys, uuid\n"
        "from lightwork.model import WorkerInfo\n"
        "from lightwork.store.sqlstore import SqlStore\n"
        "store = SqlStore(sys.argv[1])\n"
        "worker = WorkerInfo(id=uuid.uuid4(), name='killed', host='h', pid=1, slots=1)\n"
        "store.register(worker, lease=0.001)\n"
        "store.renew(worker.id, lease=0)\n"
        "store.register(WorkerInfo(id=uuid.UUID(int=7), name='killed', host='h', pid=1, slots=1),"
        " lease=60)\n"
        "lanes = store.lanes(['default'])\n"
        "print(len(store.claim(uuid.UUID(int=7), lanes=lanes, limit=1)), flush=True)\n"
        "sys.stdin.read()\n"
    )
    with child(code, url) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "1\n"
        worker.kill()
        worker.communicate()

    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE worker SET lease_until = 1")
    connection.close()
    (rescued,) = file_store.rescue()

    assert (rescued.job_id, rescued.worker) == (job_id, "killed")
    assert claim_one(file_store, registered(file_store)).number == 2
