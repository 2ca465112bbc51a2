"""Seat: the process of one turn, and those of the workers of one side; started by run.py.

python seat.py measure SIDE ROW JOBS [AMOUNTS]   a new database, one row; a line of JSON
python seat.py serve SIDE                        a worker, by BENCH_URL; ends when it is told to
"""

import contextlib
import importlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from durable import board
from durable.long_rows import Amounts
from durable.servers import KINDS, Server, cpu_seconds
from durable.sides import SIDES, Side

# No turn takes nearly as long, even on a slow machine.
PATIENCE = 150.0
SINGLE = 500
IDLE = 100
WARM = 400


def main(act: str, name: str, *rest: str) -> None:
    side = SIDES[name]
    if act == "serve":
        app_of(side).serve()
        return
    row, jobs, *more = rest
    amounts = Amounts(**json.loads(more[0])) if more else Amounts()
    server = KINDS[side.kind]()
    try:
        with tempfile.TemporaryDirectory() as folder:
            os.environ |= {
                "BENCH_URL": server.url,
                "BENCH_OPTION": side.option,
                board.FOLDER: folder,
            }
            app = app_of(side)
            app.install()
            turn = Turn(side, app, server, board.Board(Path(folder)), int(jobs))
            turn.amounts = amounts
            found = turn_of(row)(turn)
            with contextlib.suppress(Exception):
                app.close()
        print(json.dumps(found))
    finally:
        server.drop()


def app_of(side: Side) -> Any:
    return importlib.import_module(f"durable.apps.{side.app}")


class Turn:
    """What a row needs."""

    # Started once more for each worker.
    seat = __file__

    def __init__(self, side: Side, app: Any, server: Server, seen: board.Board, jobs: int) -> None:
        self.side = side
        self.app = app
        self.server = server
        self.board = seen
        self.jobs = jobs
        self.amounts = Amounts()
        # Of one wait; a thousand jobs a second is little.
        self.patience = PATIENCE + jobs / 1000

    def begin_board(self) -> None:
        """Let bodies from here on leave word elsewhere, and count from 0."""
        folder = tempfile.mkdtemp(dir=os.environ[board.FOLDER])
        os.environ[board.FOLDER] = folder
        self.board = board.Board(Path(folder))

    @contextlib.contextmanager
    def serving(self, processes: int = 0) -> Iterator[list[int]]:
        """Start the workers, or so many; the block is given their processes."""
        command = [sys.executable, "-P", self.seat, "serve", self.side.name]
        with tempfile.TemporaryFile() as said:
            started = [
                subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
                for _ in range(processes or self.side.processes)
            ]
            try:
                yield [process.pid for process in started]
            except TimeoutError as error:
                said.seek(0)
                words = said.read().decode(errors="replace").strip().splitlines()[-1:]
                raise TimeoutError(f"{error}; its workers said: {words}") from None
            finally:
                for process in started:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    process.wait()

    def wait_for(self, count: int, pause: float = 0.02) -> None:
        """Return when so many bodies have run."""
        until = time.monotonic() + self.patience
        while (seen := self.board.count()) < count:
            if time.monotonic() > until:
                raise TimeoutError(f"{seen} of {count} jobs had run after {self.patience:.0f} s")
            time.sleep(pause)


def turn_of(row: str) -> Callable[[Turn], list[float]]:
    """Return what measures a row."""
    if row in ROWS:
        return ROWS[row]
    # Only where it is asked for: peers need not import lightwork.
    from durable.long_turns import TURNS

    return TURNS[row]


def drain(turn: Turn) -> list[float]:
    """Jobs a second from the first body to the last, CPU of one in us, bytes of one."""
    before = turn.server.size()
    turn.app.submit_many(turn.jobs)
    with turn.serving() as pids:
        turn.wait_for(1, 0.002)
        first = turn.board.count()
        started = cpu_seconds([*pids, *turn.server.processes()])
        turn.wait_for(turn.jobs)
        spent = cpu_seconds([*pids, *turn.server.processes()]) - started
        # What has run is recorded a moment later.
        time.sleep(0.3)
        size = turn.server.size() - before
    measured = max(turn.jobs - first, 1)
    return [turn.jobs / turn.board.seconds(), spent / measured * 1e6, size / turn.jobs]


def submit_many(turn: Turn) -> list[float]:
    return [turn.jobs / seconds_of(lambda: turn.app.submit_many(turn.jobs))]


def submit_one(turn: Turn) -> list[float]:
    count = max(int(SINGLE * turn.jobs / 20_000), 20)
    turn.app.submit_one(0)
    return [count / seconds_of(lambda: [turn.app.submit_one(0) for _ in range(count)])]


def idle(turn: Turn) -> list[float]:
    """Median and 99th of 100: milliseconds from the submit to the body, and to the outcome."""
    count = max(int(IDLE * turn.jobs / 20_000), 20)
    ends = []
    # So many that every worker has had some, and started its children.
    turn.app.submit_many(WARM)
    with turn.serving():
        turn.wait_for(WARM)
        time.sleep(1.0)
        for number in range(count):
            sent = time.monotonic_ns()
            future: Any = turn.app.submit_one(sent)
            if future is not None:
                future.result(60)
                ends.append((time.monotonic_ns() - sent) / 1e6)
            turn.wait_for(WARM + number + 1, 0.001)
            # Longer than most wake-ups take to calm down: the system is idle again.
            time.sleep(0.02)
    return [*middle_and_worst(turn.board.waits()), *middle_and_worst(ends)]


def seconds_of(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def middle_and_worst(values: list[float]) -> tuple[float, ...]:
    if not values:
        return ()
    cuts = statistics.quantiles(values, n=100)
    return statistics.median(values), cuts[98]


ROWS: dict[str, Callable[[Turn], list[float]]] = {
    "drain": drain,
    "submit many": submit_many,
    "submit one by one": submit_one,
    "idle": idle,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
