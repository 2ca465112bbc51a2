"""Schedules beside real workers that are killed: each due time has one job, and none is left out."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import lightwork
from lightwork.store.contract import Store
from lightwork.store.sqlstore import open_store
from lightwork.store.views import ScheduleView
from store.private_servers import PrivateServer
from waiting import wait_until

TASKS = """
import lightwork as lw

@lw.task(schedule="every 1s", catch_up="all")
def tick():
    return 1
"""
SOURCES = Path(lightwork.__file__).parents[1]
Start = Callable[[str], subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    (tmp_path / "lw_ticking.py").write_text(TASKS)
    started: list[subprocess.Popen[bytes]] = []

    def start(url: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "lightwork", "worker", url, "-m", "lw_ticking"]
        started.append(
            subprocess.Popen(
                [*command, "--threads", "1", "--lease", "5s", "--quiet"],
                cwd=tmp_path,
                env=os.environ | {"PYTHONPATH": str(SOURCES)},
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def the_schedule(store: Store) -> ScheduleView:
    (view,) = store.schedules()
    return view


def count(store: Store) -> int:
    return sum(store.summary().states.values())


@pytest.mark.process
def test_each_due_time_has_one_job_whoever_is_killed(store: Store, start: Start) -> None:
    first, second = start(store.url), start(store.url)
    wait_until(lambda: count(store) >= 3, "two workers met three", within=60)

    first.kill()
    met = count(store)
    wait_until(lambda: count(store) >= met + 2, "one worker goes on", within=60)
    second.kill()
    second.wait()

    def is_overdue() -> bool:
        view = the_schedule(store)
        return view.next_at is not None and (view.read_at - view.next_at).total_seconds() > 3

    wait_until(is_overdue, "nobody was there", within=60)
    met = count(store)
    start(store.url)
    wait_until(lambda: count(store) >= met + 4, "what was missed is caught up", within=60)

    check_due_times(store)


@pytest.mark.process
@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_due_times_of_a_database_that_was_down_are_met_when_it_is_back(
    private: Callable[[str], PrivateServer], kind: str, start: Start
) -> None:
    server = private(kind)
    with server.database() as url, closing(open_store(url)) as store:
        start(url)
        wait_until(lambda: count(store) >= 2, "two were met", within=60)

        server.stop(signal.SIGKILL)
        since = time.monotonic()
        # Without a database, only that can be waited for.
        wait_until(lambda: time.monotonic() > since + 3, "due times have passed")
        server.start()
        met = count(store)
        wait_until(lambda: count(store) >= met + 5, "the worker goes on", within=60)

        check_due_times(store)


def check_due_times(store: Store) -> None:
    """Check that each second from the first on has one job."""
    due = sorted(job.due_at.timestamp() for job in store.jobs(limit=1000) if job.due_at)
    assert [round(at - due[0], 3) for at in due] == [float(number) for number in range(len(due))]
    assert len(due) == len({job.id for job in store.jobs(limit=1000)})
