"""A store in a file, used directly and through `lightwork serve`, in turns.

python bench/bench_http.py [--jobs 20000] [--rounds 3] [--key]

round trip     a call that reads nothing, one after the other; microseconds, median
drain          no-op jobs by two worker processes, from the first claim to the last outcome
submit many    in batches of a thousand
idle           one job at a time through an idle worker process: submit to outcome
500 waiting    CPU of the server while so many long polls are parked; per cent of a core
"""

import argparse
import os
import re
import secrets
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil

import bench_durable as durable
from lightwork.net.client.client import ServerStore
from lightwork.net.opening import open_store

TRIPS = 2000
WAITING = 500
WAIT_SECONDS = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--key", action="store_true", help="sign every message")
    said = parser.parse_args()
    if said.key:
        os.environ["LIGHTWORK_AUTHKEY"] = secrets.token_hex(32)
    rows: dict[str, Callable[[str, str], Any]] = {
        "round trip us": round_trip,
        "drain jobs/s": lambda file, url: drain(file, url, said.jobs),
        "submit many jobs/s": lambda _, url: durable.submit_many(url, said.jobs)["jobs/s"],
        "idle p50 ms": lambda _, url: durable.idle(url)["p50 ms"],
    }
    print(f"load={os.getloadavg()[0]:.1f} jobs={said.jobs} rounds={said.rounds} key={said.key}")
    for name, row in rows.items():
        measured: dict[str, list[float]] = {"direct": [], "http": []}
        for _ in range(said.rounds):
            for reach, found in measured.items():
                with tempfile.TemporaryDirectory() as folder:
                    file = f"sqlite:///{folder}/work.db"
                    if reach == "direct":
                        found.append(row(file, file))
                        continue
                    with serving(file) as (url, _):
                        found.append(row(file, url))
        medians = {reach: statistics.median(found) for reach, found in measured.items()}
        print(
            f"{name:<20}"
            + "  ".join(f"{reach} {value:>9,.2f}" for reach, value in medians.items())
            + f"  ratio {medians['http'] / medians['direct']:.2f}",
            flush=True,
        )
    print(f"{'500 waiting %':<20}{waiting():.1f}")


@contextmanager
def serving(file: str) -> Iterator[tuple[str, int]]:
    """Serve the store; yields the URL and the number of the server's process."""
    command = [sys.executable, "-m", "lightwork", "serve", file, "--bind", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = ""
        while not url:
            line = process.stderr.readline()
            assert line, "the server has ended"
            found = re.search(r"^  at +(http\S+)$", line)
            url = found[1] if found else ""
        try:
            yield url, process.pid
        finally:
            process.terminate()
            process.communicate()


def round_trip(_file: str, url: str) -> float:
    taken = []
    with closing(open_store(url)) as store:
        for _ in range(TRIPS):
            started = time.perf_counter()
            store.chores()
            taken.append((time.perf_counter() - started) * 1e6)
    return statistics.median(taken)


def drain(file: str, url: str, jobs: int) -> float:
    durable.submit(file, durable.noop, jobs)
    with durable.serving(url, 2):
        durable.wait_until_done(file, jobs)
    return jobs / seconds_between(file)


def seconds_between(file: str) -> float:
    """Return how long it took from the first claim to the last outcome, by the store's clock."""
    with closing(sqlite3.connect(file.removeprefix("sqlite:///"))) as connection:
        query = "select (max(finished_at) - min(started_at)) / 1000.0 from outcome"
        (seconds,) = connection.execute(query).fetchone()
    return float(seconds)


def waiting() -> float:
    with tempfile.TemporaryDirectory() as folder, serving(f"sqlite:///{folder}/x.db") as (url, pid):
        opened = [open_store(url) for _ in range(WAITING)]
        clients = [one for one in opened if isinstance(one, ServerStore)]
        for one in clients:
            one.wait_for_change(one.changes(), 0.001)
        time.sleep(1)
        process = psutil.Process(pid)
        before = process.cpu_times()
        for _ in range(int(WAIT_SECONDS)):
            for one in clients:
                # As a worker does, who says that it still waits.
                one.wait_for_change(one._changes._count, 0.0)
            time.sleep(1)
        after = process.cpu_times()
        for one in clients:
            one.close()
    return 100 * (after.user + after.system - before.user - before.system) / WAIT_SECONDS


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
