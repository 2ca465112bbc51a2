"""One file, whatever its names and whatever happens to them; and what a fork may do with it."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lightwork.errors import StoreError, StoreUnavailable
from lightwork.store.sqlite.engine import sqlite_url
from lightwork.store.sqlstore import SqlStore
from store.steps import new_job, submitted
from waiting import wait_until


def count(path: Path) -> int:
    connection = sqlite3.connect(path)
    (jobs,) = connection.execute("SELECT count(*) FROM job").fetchone()
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    return int(jobs)


# Names.


def test_second_hard_link_of_a_store_is_refused_by_either_name(url: str, path: Path) -> None:
    SqlStore(url).close()
    other = path.with_name("other.db")
    other.hardlink_to(path)

    for name in (path, other):
        with pytest.raises(StoreError, match="hard links"):
            SqlStore(f"sqlite:///{name}")


def test_hard_link_made_while_open_keeps_others_out_and_stops_nobody(
    store: SqlStore, path: Path
) -> None:
    other = path.with_name("other.db")
    other.hardlink_to(path)

    with pytest.raises(StoreError, match="hard links"):
        SqlStore(f"sqlite:///{other}")

    assert store.submit([new_job()]) == [True]


OPEN_LINK = """
import sys, uuid
from lightwork.model import NewJob
from lightwork.store.sqlstore import SqlStore
with SqlStore(sys.argv[1]) as store:
    store.submit([NewJob(id=uuid.uuid4(), task="t:t", payload=b"")])
"""


def test_programs_on_symbolic_links_of_one_store_lose_nothing(store: SqlStore, path: Path) -> None:
    far = path.parent / "far"
    far.mkdir()
    link = far / "link.db"
    link.symlink_to(path)
    submitted(store)

    subprocess.run([sys.executable, "-c", OPEN_LINK, f"sqlite:///{link}"], check=True)
    submitted(store)

    assert count(path) == 3
    assert list(far.iterdir()) == [link]


@pytest.mark.parametrize("name", ["with blank.db", "50%25.db", "a#b.db", "ü&=.db"])
def test_any_name_of_a_file_is_that_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name

    with SqlStore(sqlite_url(path)) as store:
        submitted(store)

        assert count(path) == 1


# Deleted, moved, replaced.


def delete(path: Path) -> None:
    path.unlink()


def move(path: Path) -> None:
    path.rename(path.with_name("moved.db"))


def replace(path: Path) -> None:
    shutil.copy(path, path.with_name("copy.db"))
    path.with_name("copy.db").replace(path)


def delete_wal(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


def delete_index_of_wal(path: Path) -> None:
    path.with_name(f"{path.name}-shm").unlink()


def empty_folder(path: Path) -> None:
    for file in path.parent.iterdir():
        file.unlink()


LOSSES = [delete, move, replace, delete_wal, delete_index_of_wal, empty_folder]


@pytest.mark.parametrize("lose", LOSSES)
def test_no_job_is_acknowledged_once_the_file_is_gone(
    store: SqlStore, path: Path, lose: Callable[[Path], None]
) -> None:
    submitted(store)
    lose(path)

    with pytest.raises(StoreError, match="while it was open here"):
        store.submit([new_job()])


@pytest.mark.parametrize("lose", LOSSES)
def test_whoever_reads_or_waits_hears_that_the_file_is_gone(
    store: SqlStore, path: Path, lose: Callable[[Path], None]
) -> None:
    job_id = submitted(store)
    seen = store.changes()
    lose(path)

    with pytest.raises(StoreError, match="while it was open here"):
        store.states([job_id])
    # What is lost may look like a change first.
    with pytest.raises(StoreError, match="while it was open here"):
        wait_until(lambda: store.wait_for_change(seen, 60.0) is None, "never")


FOR_GOOD = [delete, replace, delete_wal, delete_index_of_wal, empty_folder]


@pytest.mark.parametrize("lose", FOR_GOOD)
def test_what_will_not_come_back_is_not_waited_for(
    store: SqlStore, path: Path, lose: Callable[[Path], None]
) -> None:
    submitted(store)
    lose(path)

    with pytest.raises(StoreError) as failure:
        store.submit([new_job()])

    assert type(failure.value) is StoreError


def test_file_that_is_away_and_comes_back_is_used_again(store: SqlStore, path: Path) -> None:
    before = submitted(store)
    away = path.parent.with_name("away")
    path.parent.rename(away)

    with pytest.raises(StoreUnavailable, match="moved away"):
        store.submit([new_job()])
    with pytest.raises(StoreUnavailable, match="moved away"):
        store.states([before])
    away.rename(path.parent)

    # What was refused was not written either.
    assert [job.id for job in store.jobs()] == [before]
    assert store.submit([new_job()]) == [True]
    assert store.check() == []
    assert count(path) == 2


def test_deleted_file_does_not_come_back_empty(store: SqlStore, path: Path) -> None:
    empty_folder(path)

    with pytest.raises(StoreError):
        store.summary()

    assert not path.exists()


def test_store_made_anew_at_the_same_place_is_another_store(
    store: SqlStore, url: str, path: Path
) -> None:
    submitted(store)
    empty_folder(path)

    with SqlStore(url) as anew:
        submitted(anew)

        assert count(path) == 1
        with pytest.raises(StoreError, match="replaced"):
            store.submit([new_job()])


# Forks.

FORK = """
import os, signal, sys, threading, uuid
from lightwork.errors import StoreError
from lightwork.model import NewJob
from lightwork.store.sqlstore import SqlStore

def submit(store):
    return store.submit([NewJob(id=uuid.uuid4(), task="t:t", payload=b"")]) == [True]

def in_child(do):
    child = os.fork()
    if child == 0:
        do()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)

store = SqlStore(sys.argv[1])
submit(store)
store.summary()
"""

CHILD_OUTLIVES = """
go, ready = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    again = SqlStore(sys.argv[1])
    submit(again)
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    for _ in range(20):
        assert submit(again)
    os.kill(os.getpid(), signal.SIGKILL)
os.read(ready[0], 1)
store.close()
os.write(go[1], b"x")
os.waitpid(child, 0)
"""

CHILD_ENDS = """
def end():
    sys.exit(0)

def leave():
    os._exit(0)

def open_and_end():
    with SqlStore(sys.argv[1]) as again:
        assert submit(again)
    sys.exit(0)

stop = []
def work():
    while not stop:
        submit(store)
        store.summary()

threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
try:
    for turn in range(2):
        for do in (end, leave, open_and_end):
            assert in_child(do) == 0
finally:
    stop.append(True)
    for thread in threads: thread.join()
assert store.check() == []
print(sum(store.summary().states.values()), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""

CHILD_IS_REFUSED = """
import sqlite3
mine = sqlite3.connect(sys.argv[2])
mine.execute("SELECT count(*) FROM job").fetchall()

def open_again():
    try:
        SqlStore(sys.argv[1])
    except StoreError as error:
        os._exit("was forked while the file was open" in str(error))
    os._exit(2)

def close_and_open():
    mine.close()
    with SqlStore(sys.argv[1]) as again:
        os._exit(not submit(again))

print(in_child(open_again), in_child(close_and_open))
"""

FORK_IN_A_TRANSACTION = """
inside, leave = threading.Event(), threading.Event()
def write(connection):
    connection.exec_driver_sql("UPDATE job SET priority = 5")
    connection.exec_driver_sql("UPDATE ready SET rank = -5")
    inside.set()
    leave.wait()

import lightwork.store.sqlite.file as sqlite_file
sqlite_file.PATIENCE = 0.01
writer = threading.Thread(target=lambda: store._write(write))
writer.start()
inside.wait()

def open_again():
    try:
        SqlStore(sys.argv[1])
    except StoreError as error:
        sys.exit("was forked while the file was open" in str(error))

print(in_child(open_again))
leave.set()
writer.join()
assert submit(store)
print(store.check(), {job.priority for job in store.jobs()})
"""


def run_forks(code: str, *arguments: str) -> str:
    words = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK + code, *arguments]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    return done.stdout


def test_child_that_opens_the_store_again_outlives_its_parents(url: str, path: Path) -> None:
    run_forks(CHILD_OUTLIVES, url)

    assert count(path) == 22


def test_children_forked_among_busy_threads_cost_no_job(url: str, path: Path) -> None:
    acknowledged = int(run_forks(CHILD_ENDS, url))

    assert count(path) == acknowledged


def test_child_with_a_foreign_connection_may_not_open_before_it_is_closed(
    url: str, path: Path
) -> None:
    assert run_forks(CHILD_IS_REFUSED, url, str(path)) == "1 0\n"


def test_fork_in_the_middle_of_a_transaction_leaves_the_parents_alone(url: str) -> None:
    assert run_forks(FORK_IN_A_TRANSACTION, url) == "1\n[] {0, 5}\n"
