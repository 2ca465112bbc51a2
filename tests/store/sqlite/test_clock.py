"""The clock of a SQLite file: nobody can set it, it survives boots, and it comes back to the time."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine

from interrupts import Interrupter
from lightwork import clock
from lightwork.model import State
from lightwork.store.sqlstore import SqlStore
from moved_clock import MovedClock, needs_a_compiler
from store.steps import claim_one, execute, new_job, registered, state_of, submitted

HOUR = 3_600_000


def look(path: Path, query: str) -> list[int]:
    connection = sqlite3.connect(path)
    rows = connection.execute(query).fetchall()
    connection.close()
    return [number for (number,) in rows]


def set_ahead(store: SqlStore, milliseconds: int) -> None:
    """Let the file's clock differ from the wall clock, as after a jump of the latter."""
    execute(store, f"UPDATE clock SET ahead = ahead + {milliseconds}, aligned_at = 0")


# Another process, whose wall clock was set.

OTHER = """
import sys, time, uuid
shift = int(sys.argv[2]) * 1_000_000
real = time.time_ns
time.time_ns = lambda: real() + shift
from lightwork.lifecycle import Succeeded
from lightwork.model import NewJob, WorkerInfo
from lightwork.store.sqlstore import SqlStore
with SqlStore(sys.argv[1]) as store:
    print([rescued.job_id for rescued in store.rescue()])
    store.submit([NewJob(id=uuid.uuid4(), task="t:t", payload=b"")])
    worker = WorkerInfo(id=uuid.uuid4(), name="other", host="h", pid=1, slots=1)
    store.register(worker, lease=60)
"""


@pytest.mark.parametrize("hours", [-1, 1])
def test_process_with_another_wall_clock_neither_rescues_nor_revives(
    store: SqlStore, url: str, path: Path, hours: int
) -> None:
    submitted(store)
    worker = registered(store)
    attempt = claim_one(store, worker)

    words = [sys.executable, "-c", OTHER, url, str(hours * HOUR)]
    other = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)

    assert (other.stdout, other.stderr) == ("[]\n", "")
    assert store.renew(worker, lease=60)
    assert state_of(store, attempt.job_id) == State.RUNNING
    first, last = look(path, "SELECT created_at FROM job ORDER BY seq")
    assert 0 <= last - first < HOUR / 2


JUMP = """
import os, struct, sys, time, uuid
from lightwork.model import NewJob, WorkerInfo
from lightwork.store.sqlstore import SqlStore

def set_clock(hours):
    with open(os.environ["MOVED_CLOCK"], "r+b") as file:
        file.write(struct.pack("q", hours * 3600))

def claimed_by_a_worker(name, lease):
    worker = WorkerInfo(id=uuid.uuid4(), name=name, host="h", pid=1, slots=1)
    store.register(worker, lease=lease)
    store.submit([NewJob(id=uuid.uuid4(), task="t:t", payload=b"")])
    assert len(store.claim(worker.id, lanes=store.lanes(["default"]), limit=1)) == 1
    return worker.id

store = SqlStore(sys.argv[1])
living = claimed_by_a_worker("living", 60)
claimed_by_a_worker("dead", 2)
before = time.time()
set_clock(int(sys.argv[2]))
assert abs(time.time() - before) > 3000, "the clock was not set"
rescued, deadline = [], time.monotonic() + 30
while not rescued and time.monotonic() < deadline:
    rescued = store.rescue()
assert [one.worker for one in rescued] == ["dead"], rescued
assert store.renew(living, lease=60)
print(round(store.align_clock() / 3600))
"""


@needs_a_compiler
@pytest.mark.parametrize("hours", [-1, 1])
def test_clock_set_by_an_hour_ends_no_lease_and_keeps_no_dead_alive(
    url: str, tmp_path: Path, hours: int
) -> None:
    environment = os.environ | MovedClock(tmp_path).environment

    words = [sys.executable, "-c", JUMP, url, str(hours)]
    done = subprocess.run(
        words, env=environment, capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.stdout, done.stderr) == (f"{hours}\n", "")


# Boots.


@contextmanager
def after_a_boot(store: SqlStore) -> Iterator[SqlStore]:
    """Open the file as if the machine had been started anew."""
    execute(store, "UPDATE clock SET boot = 'an earlier one'")
    store.close()
    with SqlStore(store.url) as again:
        yield again


def test_next_boot_begins_with_the_wall_clock(store: SqlStore) -> None:
    set_ahead(store, -HOUR)

    with after_a_boot(store) as again:
        assert abs(again.align_clock()) < 60


def test_time_never_goes_back_over_a_boot(store: SqlStore, path: Path) -> None:
    set_ahead(store, HOUR)
    submitted(store)
    registered(store)

    with after_a_boot(store) as again:
        submitted(again)

    first, last = look(path, "SELECT created_at FROM job ORDER BY seq")
    assert last >= first


def test_damaged_instant_does_not_set_the_clock(store: SqlStore) -> None:
    registered(store)
    execute(store, "UPDATE worker SET heartbeat_at = 1 << 60")

    with after_a_boot(store) as again:
        assert abs(again.align_clock()) < 60


def test_uptime_is_the_systems(store: SqlStore) -> None:
    seconds = float(Path("/proc/uptime").read_text().split()[0])

    assert abs(clock.uptime() / 1000 - seconds) < 5


# Coming back to the time.


@pytest.mark.parametrize(("ahead", "step"), [(-HOUR, 50), (HOUR, -50)])
def test_clock_comes_nearer_by_one_small_step(
    store: SqlStore, path: Path, ahead: int, step: int
) -> None:
    set_ahead(store, ahead)
    (before,) = look(path, "SELECT ahead FROM clock")

    assert store.align_clock() == pytest.approx(-ahead / 1000, abs=60)

    assert look(path, "SELECT ahead FROM clock") == [before + step]


def test_step_that_was_made_is_not_made_again_at_once(store: SqlStore, path: Path) -> None:
    set_ahead(store, HOUR)
    store.align_clock()
    execute(store, f"UPDATE clock SET aligned_at = {clock.uptime() + HOUR}")
    before = look(path, "SELECT ahead FROM clock")

    store.align_clock()

    assert look(path, "SELECT ahead FROM clock") == before


def test_clock_that_is_right_is_left_alone(store: SqlStore) -> None:
    changes = store.changes()

    store.align_clock()

    assert store.changes() == changes


# Connections of others.


def test_job_submitted_on_a_connection_of_the_users_own_has_the_files_time(
    store: SqlStore, path: Path
) -> None:
    set_ahead(store, HOUR)
    engine = create_engine(store.url, poolclass=NullPool)

    with engine.begin() as connection:
        store.submit_on(connection, [new_job()])

    submitted(store)
    first, last = look(path, "SELECT created_at FROM job ORDER BY seq")
    assert 0 <= last - first < HOUR / 2


# Ctrl-C.


def test_an_interrupt_amid_a_statement_is_no_error_of_the_database(store: SqlStore) -> None:
    registered(store)

    for look in (store.summary, store.workers):
        step = 0
        while was_interrupted_at(step := step + 1, look):
            pass
        assert step > 20


def was_interrupted_at(step: int, look: Callable[[], object]) -> bool:
    """Whether there was such a step; the interrupt must have come through."""
    interrupter = Interrupter(step, within=("lightwork",))
    sys.setprofile(interrupter)
    try:
        look()
    except KeyboardInterrupt:
        return True
    finally:
        sys.setprofile(None)
    assert interrupter.steps < step, "the interrupt was lost"
    return False
