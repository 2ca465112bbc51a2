"""What a store in a SQLite file promises beyond the contract: bad places, locks, wakes."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lightwork.errors import SchemaMismatch, StoreError, StoreUnavailable, UsageError
from lightwork.model import NewJob, State
from lightwork.store import looking
from lightwork.store import statements as sql
from lightwork.store.engine import network_type, writing_engine
from lightwork.store.sqlite_file import SqliteFile
from lightwork.store.sqlstore import SqlStore, open_store
from store.steps import claim_one, new_job, registered, submitted


def child(code: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def shared_file(store: SqlStore) -> SqliteFile:
    assert store._file is not None
    return store._file


@pytest.fixture
def file_store(store: SqlStore) -> SqlStore:
    return store


# Places and URLs that are refused.


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:memory?mode=memory&uri=true",
        "sqlite:///work.db?timeout=3",
        "sqlite+aiosqlite:///work.db",
        "mysql+pymysql://host/work",
        "no url at all",
        "",
    ],
)
def test_url_of_no_file_is_wrong_use(url: str) -> None:
    with pytest.raises(UsageError):
        open_store(url)


def test_refusal_does_not_repeat_the_password() -> None:
    with pytest.raises(UsageError) as refusal:
        open_store("postgresql://me:secret@host/work")

    assert "secret" not in str(refusal.value)


def make_nothing(path: Path) -> None:
    path.parent.rmdir()


def make_folder(path: Path) -> None:
    path.mkdir()


def make_text(path: Path) -> None:
    path.write_text("Dear diary, this is no database at all.")


def make_ruin(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("make", [make_nothing, make_folder, make_text, make_ruin, make_pipe])
def test_place_that_cannot_hold_a_store_is_refused_by_name(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "folder" / "work.db"
    path.parent.mkdir()
    make(path)

    with pytest.raises(StoreError) as refusal:
        open_store(f"sqlite:///{path}")

    assert "folder" in str(refusal.value)


def test_file_that_is_no_database_is_left_as_it_was(path: Path) -> None:
    make_text(path)
    before = path.read_bytes()

    with pytest.raises(StoreError):
        open_store(f"sqlite:///{path}")

    assert (path.read_bytes(), list(path.parent.iterdir())) == (before, [path])


@pytest.mark.parametrize("read_only", ["file", "folder"])
def test_read_only_place_is_refused(url: str, path: Path, read_only: str) -> None:
    open_store(url).close()
    target = path if read_only == "file" else path.parent
    target.chmod(target.stat().st_mode & ~0o222)
    if os.access(target, os.W_OK):
        pytest.skip("this user (root?) may write everything")

    try:
        with pytest.raises(StoreError, match=r"read-only|read and write"):
            open_store(url)
    finally:
        target.chmod(target.stat().st_mode | 0o700)


def test_missing_store_is_not_made_unasked(url: str, path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        open_store(url, create=False)

    assert not path.exists()


def test_empty_file_becomes_a_store(url: str, path: Path) -> None:
    path.touch()

    with SqlStore(url) as store:
        assert store.check() == []


def test_foreign_tables_of_our_names_are_refused(url: str, path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE job (title TEXT)")
    connection.close()

    with pytest.raises(SchemaMismatch, match="job"):
        open_store(url)


def test_store_lives_beside_foreign_tables(url: str, path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customer (name TEXT)")
    connection.close()

    with SqlStore(url) as store:
        submitted(store)

        assert store.summary().states[State.READY] == 1


MOUNTS = """\
/dev/sda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb /home/local\\040disk xfs rw 0 0
me@host: /mnt/ssh fuse.sshfs rw 0 0
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/home/me/work.db", "nfs4"),
        ("/homestead/work.db", ""),
        ("/home/local disk/work.db", ""),
        ("/mnt/ssh/work.db", "fuse.sshfs"),
        ("/var/work.db", ""),
    ],
)
def test_network_file_system_is_recognised(place: str, kind: str) -> None:
    assert network_type(Path(place), MOUNTS) == kind


def test_url_is_good_in_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.chdir(tmp_path)

    with SqlStore("sqlite:///work.db") as store:
        assert (store.url, store.safe_url) == (url, url)


# Durability and sharing.


def test_commits_survive_a_power_cut(file_store: SqlStore) -> None:
    def pragmas(connection: Any) -> tuple[str, int]:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        return mode, connection.exec_driver_sql("PRAGMA synchronous").scalar()

    assert shared_file(file_store).writer.post(pragmas) == ("wal", 2)


def test_file_in_another_journal_mode_is_brought_to_wal(url: str, path: Path) -> None:
    open_store(url).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()

    with SqlStore(url):
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()


def test_stores_of_one_file_share_one_writer(file_store: SqlStore, path: Path) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)

    with SqlStore(f"sqlite:///{link}") as other:
        assert shared_file(other) is shared_file(file_store)


def test_one_store_closes_and_the_other_goes_on(file_store: SqlStore, url: str) -> None:
    SqlStore(url).close()

    assert file_store.submit([new_job()]) == [True]


def test_reading_connections_cannot_write(file_store: SqlStore) -> None:
    def write(connection: Any) -> None:
        connection.exec_driver_sql("DELETE FROM job")

    with pytest.raises(StoreError, match="read-only"):
        file_store._read(write)


def test_driver_sums_the_row_counts_of_executemany(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE t (n)")
    connection.executemany("INSERT INTO t VALUES (?)", [(1,), (2,), (3,)])

    cursor = connection.executemany("UPDATE t SET n = 0 WHERE n = ?", [(1,), (9,), (2,), (3,)])

    assert cursor.rowcount == 3
    connection.close()


def test_database_that_foreign_hands_emptied_says_so(file_store: SqlStore, path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE job")
    connection.close()

    with pytest.raises(SchemaMismatch, match="no such table"):
        submitted(file_store)


@pytest.fixture
def impossible(file_store: SqlStore, path: Path) -> SqlStore:
    """A store whose older job has a state that nobody knows."""
    submitted(file_store)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute("UPDATE job SET state = 'asleep'")
    connection.close()
    return file_store


def test_job_in_an_impossible_state_holds_up_nobody(impossible: SqlStore) -> None:
    job_id = submitted(impossible)

    assert claim_one(impossible, registered(impossible)).job_id == job_id


def test_check_names_a_job_in_an_impossible_state(impossible: SqlStore) -> None:
    assert impossible.check() == ["1 jobs are in no known state: seq 1"]


def test_listing_names_a_job_in_an_impossible_state(impossible: SqlStore) -> None:
    with pytest.raises(StoreError, match="'asleep'"):
        impossible.jobs()


# Plans: recurring statements walk a partial index and never finished rows.

RECURRING = {
    "claim": sql.CLAIM,
    "cancel requests": sql.CANCEL_REQUESTS,
    "promote": sql.PROMOTE,
    "next due": sql.NEXT_DUE_IN,
    "rescue": sql.ABANDONED,
    "sign off": sql.HELD_BY,
    "prune": sql.PRUNABLE,
    "prune workers": sql.DELETE_WORKERS,
    "oldest": looking.OLDEST_READY,
    **{f"count {state}": count for state, count in looking.COUNTS.items()},
}


@pytest.mark.parametrize("name", RECURRING)
def test_recurring_statement_walks_an_index_of_unfinished_rows(
    store: SqlStore, path: Path, name: str
) -> None:
    engine = writing_engine(path)
    compiled = RECURRING[name].compile(dialect=engine.dialect)

    with engine.connect() as connection:
        explain = f"EXPLAIN QUERY PLAN {compiled}"
        values = tuple(1 for _name in compiled.positiontup or ())
        plan = [row.detail for row in connection.exec_driver_sql(explain, values)]

    walks = [step for step in plan if step.startswith(("SCAN job", "SEARCH job"))]
    assert walks
    assert all("INDEX job_" in step or "(rowid=?)" in step for step in walks)


# Locks.

HOLD_LOCK = """
import sys
from pathlib import Path
from lightwork.store.filelock import FileLock
with FileLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_wait_for_a_lock_ends_with_the_number_of_its_holder(
    file_store: SqlStore, path: Path
) -> None:
    with child(HOLD_LOCK, f"{path}-lock") as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"

        with pytest.raises(StoreUnavailable, match=f"process {holder.pid};"):
            shared_file(file_store).writer.post(lambda _connection: None, patience=0.01)

        holder.communicate("")


def test_abandoned_write_does_not_happen_later(file_store: SqlStore, path: Path) -> None:
    ran = threading.Event()

    def write(_connection: object) -> None:
        ran.set()

    with child(HOLD_LOCK, f"{path}-lock") as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(StoreUnavailable):
            shared_file(file_store).writer.post(write, patience=0.01)
        holder.communicate("")
    # Written after the abandoned one would have been.
    submitted(file_store)

    assert not ran.is_set()


def test_killed_holder_gives_the_lock_back(file_store: SqlStore, path: Path) -> None:
    with child(HOLD_LOCK, f"{path}-lock") as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        holder.kill()
        holder.communicate()

    assert file_store.submit([new_job()]) == [True]


def test_foreign_program_with_the_database_locked_is_waited_for(
    file_store: SqlStore, path: Path
) -> None:
    foreign = sqlite3.connect(path, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailable):
        shared_file(file_store).writer.post(lambda _connection: None, patience=0.01)
    foreign.execute("ROLLBACK")
    foreign.close()

    assert file_store.submit([new_job()]) == [True]


def test_database_that_stays_locked_is_unavailable(file_store: SqlStore, path: Path) -> None:
    def lose_patience(connection: Any) -> None:
        connection.exec_driver_sql("PRAGMA busy_timeout = 1")

    shared_file(file_store).writer.post(lose_patience)
    foreign = sqlite3.connect(path, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailable, match="keeps it locked"):
        submitted(file_store)

    foreign.execute("ROLLBACK")
    foreign.close()
    assert file_store.jobs() == []


def test_readers_do_not_wait_for_a_foreign_writer(file_store: SqlStore, path: Path) -> None:
    job_id = submitted(file_store)
    foreign = sqlite3.connect(path, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")

    states = file_store.states([job_id])

    foreign.execute("ROLLBACK")
    foreign.close()
    assert states == {job_id: State.READY}


# A full disk.


def fill_disk(store: SqlStore) -> None:
    """Let the file grow by not a single page more."""

    def limit(connection: Any) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    shared_file(store).writer.post(limit)


def test_full_disk_changes_nothing(file_store: SqlStore) -> None:
    small = [new_job() for _ in range(3)]
    file_store.submit(small)
    fill_disk(file_store)

    with pytest.raises(StoreUnavailable, match="disk full"):
        file_store.submit([new_job(payload=b"x" * 5000) for _ in range(50)])

    assert (len(file_store.jobs()), file_store.check()) == (3, [])


def test_store_goes_on_when_the_disk_has_space_again(file_store: SqlStore) -> None:
    fill_disk(file_store)
    with pytest.raises(StoreUnavailable):
        file_store.submit([new_job(payload=b"x" * 500_000)])

    def lift(connection: Any) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")

    shared_file(file_store).writer.post(lift)

    assert file_store.submit([new_job(payload=b"x" * 500_000)]) == [True]


# Several processes.

OPEN = """
import sys
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
from lightwork.model import NewJob
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


def test_own_commit_wakes_who_waits(file_store: SqlStore) -> None:
    seen = file_store.changes()
    woken: list[int] = []
    waiter = threading.Thread(target=lambda: woken.append(file_store.wait_for_change(seen, 60.0)))
    waiter.start()

    submitted(file_store)

    waiter.join(60)
    assert woken[0] != seen


FORK = """
import os, sys
from lightwork.errors import StoreError
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
from lightwork.store.sqlstore import SqlStore

def work(store, count):
    worker = WorkerInfo(id=uuid.uuid4(), name="w", host="h", pid=1, slots=20)
    store.register(worker, lease=600)
    while True:
        seen = store.changes()
        claimed = store.claim(worker.id, queues=["default"], limit=20)
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


def test_job_of_a_worker_process_that_was_killed_is_rescued(file_store: SqlStore, url: str) -> None:
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
        "print(len(store.claim(uuid.UUID(int=7), queues=['default'], limit=1)), flush=True)\n"
        "sys.stdin.read()\n"
    )
    with child(code, url) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "1\n"
        worker.kill()
        worker.communicate()

    connection = sqlite3.connect(file_store.path, isolation_level=None)
    connection.execute("UPDATE worker SET lease_until = 1")
    connection.close()
    (rescued,) = file_store.rescue()

    assert (rescued.job_id, rescued.worker) == (job_id, "killed")
    assert claim_one(file_store, registered(file_store)).number == 2
