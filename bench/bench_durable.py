"""Durable jobs on SQLite: how many a second, and how long one takes on an idle system.

    python bench/bench_durable.py [--jobs 20000] [--workers 2] [--json]

Rows of the table, each on a fresh file with synchronous=FULL (nothing that was
committed is lost when the power goes), outcomes kept, calls isolated in children:

    drain          no-op jobs that wait already, run by worker processes of one child
                   each; from the first claim to the last outcome, so that starting
                   Python is not in it
    drain inside   the same by a worker inside the submitting program (workers=2)
    submit many    jobs of one submit_many in batches of 1000
    submit singly  one after the other, each on the disk before the next
    idle           one job at a time through an idle worker process: submit to outcome

Figures of a shared machine vary by a third; ratios between rows of one run do not.
"""

import argparse
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from lightwork.durable.executor import DurableExecutor
from lightwork.model import State
from lightwork.store.sqlstore import open_store
from lightwork.tasks.task import Task, task
from lightwork.work.service import Worker

BATCH = 1000
SINGLE = 1000
IDLE = 300


@task
def noop(number: int) -> int:
    return number


def main() -> None:
    arguments = parse_arguments()
    if arguments.serve:
        # As `-m bench_durable` would: the task goes by the name of this script.
        Worker(arguments.serve, executor="processes:1", imported=True).run()
        return
    figures = measure(arguments.jobs, arguments.workers)
    print(json.dumps(figures, indent=1) if arguments.json else table(figures))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--serve", metavar="URL", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(jobs: int, workers: int) -> dict[str, Any]:
    figures: dict[str, Any] = {"settings": settings(jobs, workers)}
    rows: dict[str, Callable[[str], dict[str, float]]] = {
        "drain": lambda url: drain(url, jobs, workers),
        "drain inside": lambda url: drain_inside(url, jobs, workers),
        "submit many": lambda url: submit_many(url, jobs),
        "submit singly": submit_singly,
        "idle": idle,
    }
    for name, row in rows.items():
        with tempfile.TemporaryDirectory() as folder:
            figures[name] = row(f"sqlite:///{folder}/work.db")
    return figures


def settings(jobs: int, workers: int) -> dict[str, Any]:
    return {
        "jobs": jobs,
        "workers": workers,
        "cpus": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "sqlalchemy": version("sqlalchemy"),
        "synchronous": "FULL",
    }


def drain(url: str, jobs: int, workers: int) -> dict[str, float]:
    """Return jobs per second from the first claim to the last outcome, by the store's clock."""
    submit(url, noop, jobs)
    with serving(url, workers):
        wait_until_done(url, jobs)
    return {"jobs/s": round(jobs / seconds_between(url)), **claimed_together(url)}


def drain_inside(url: str, jobs: int, workers: int) -> dict[str, float]:
    submit(url, noop, jobs)
    with DurableExecutor(url, workers=workers):
        wait_until_done(url, jobs)
    return {"jobs/s": round(jobs / seconds_between(url))}


def submit_many(url: str, jobs: int) -> dict[str, float]:
    with DurableExecutor(url) as executor:
        started = time.perf_counter()
        for first in range(0, jobs, BATCH):
            executor.submit_many(noop, [(number,) for number in range(first, first + BATCH)])
        return {"jobs/s": round(jobs / (time.perf_counter() - started))}


def submit_singly(url: str) -> dict[str, float]:
    with DurableExecutor(url) as executor:
        started = time.perf_counter()
        for number in range(SINGLE):
            executor.submit(noop, number)
        return {"jobs/s": round(SINGLE / (time.perf_counter() - started))}


def idle(url: str) -> dict[str, float]:
    with DurableExecutor(url) as executor, serving(url, 1):
        executor.submit(noop, 0).result(60)
        taken = []
        for number in range(IDLE):
            # Longer than any wake-up takes to calm down: the system is idle again.
            time.sleep(0.005)
            started = time.perf_counter()
            executor.submit(noop, number).result(60)
            taken.append((time.perf_counter() - started) * 1000)
    cuts = statistics.quantiles(taken, n=100)
    return {"p50 ms": round(cuts[49], 2), "p99 ms": round(cuts[98], 2)}


def submit(url: str, fn: Task[..., Any], jobs: int) -> None:
    with DurableExecutor(url) as executor:
        for first in range(0, jobs, BATCH):
            executor.submit_many(fn, [(number,) for number in range(first, first + BATCH)])


@contextmanager
def serving(url: str, workers: int) -> Iterator[None]:
    command = [sys.executable, __file__, "--serve", url]
    started = [subprocess.Popen(command) for _ in range(workers)]
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(30)


def wait_until_done(url: str, jobs: int) -> None:
    store = open_store(url)
    seen = -1
    while store.summary().states[State.SUCCEEDED] < jobs:
        # Rarely: looking takes time from those who are measured.
        time.sleep(0.1)
        seen = store.wait_for_change(seen, 1.0)
    store.close()


def seconds_between(url: str) -> float:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    query = "select (max(finished_at) - min(started_at)) / 1000.0 from outcome"
    (seconds,) = connection.execute(query).fetchone()
    connection.close()
    return float(seconds)


def claimed_together(url: str) -> dict[str, float]:
    """Return how many jobs one claim took, told by equal starting times."""
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    query = "select count(*) * 1.0 / count(distinct started_at) from outcome"
    (batch,) = connection.execute(query).fetchone()
    connection.close()
    return {"jobs per claim": round(batch)}


def table(figures: dict[str, Any]) -> str:
    lines = [" ".join(f"{name}={value}" for name, value in figures["settings"].items()), ""]
    for name, row in figures.items():
        if name != "settings":
            shown = "  ".join(f"{value:>10,} {unit}" for unit, value in row.items())
            lines.append(f"{name:<14}{shown}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
