"""Seat: the process of one turn, and those of the workers of one side; started by run.py.

python seat.py measure SIDE ROW JOBS      a new database, its server, one row; a line of JSON
python seat.py serve SIDE                 a worker, by BENCH_URL; ends when it is told to
"""

import contextlib
import json
import os
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from durable import board
from durable.apps import lightwork_app
from durable.seat import WARM, Turn, middle_and_worst
from durable.servers import KINDS, cpu_seconds
from lightwork.net.keys.handshake import ClientHandshake, ServerHandshakes
from lightwork.net.keys.keyring import Keyring, from_authkey
from lightwork.net.opening import open_store
from remote import queues
from remote.sides import KEYED, SERVED, SIDES

IDLE = 200
CALLS = 2000
CROWD = 500
# Whole workers have six threads each; the rest is told by proportion.
WORKERS = 40
PROCESSES = 5
_WATCHED_SECONDS = 10.0
_SIGNED = 20_000
_KILOBYTE = b"x" * 1024


class RemoteTurn(Turn):
    """A turn with a server, if the side has one."""

    seat = __file__
    # Of the server; 0: the side has none.
    pid = 0


def main(act: str, name: str, *rest: str) -> None:
    side = SIDES[name]
    if act == "serve":
        lightwork_app.serve() if side.app else queues.serve()
        return
    row, jobs = rest
    database = KINDS[side.kind]()
    try:
        with tempfile.TemporaryDirectory() as folder:
            os.environ |= {"BENCH_URL": database.url, board.FOLDER: folder}
            app: Any = lightwork_app if side.app else queues.Queues()
            turn = RemoteTurn(side, app, database, board.Board(Path(folder)), int(jobs))
            with served(database.url, side.option) as pid:
                turn.pid = pid if side.app else app.pid
                print(json.dumps(ROWS[row](turn)))
            with contextlib.suppress(Exception):
                app.close()
    finally:
        database.drop()


@contextlib.contextmanager
def served(url: str, how: str) -> Iterator[int]:
    """Offer the database as a side wants it, to all who read BENCH_URL; yields the server's process."""
    if not how:
        yield 0
        return
    if how == KEYED:
        os.environ["LIGHTWORK_AUTHKEY"] = secrets.token_hex(32)
    command = [sys.executable, "-m", "lightwork", "serve", url, "--bind", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = None
        while found is None:
            line = process.stderr.readline()
            if not line:
                raise RuntimeError("the server has ended")
            found = re.search(r"^  at +(http\S+)$", line)
        os.environ["BENCH_URL"] = found[1]
        try:
            yield process.pid
        finally:
            process.terminate()
            process.communicate()


# --- rows


def drain(turn: RemoteTurn) -> list[float]:
    """Jobs a second from the first body to the last; CPU of one in us, of all but who submits.

    Then the part of it that is the server's, and the database's, where they are processes of their own.
    """
    _begin(turn)
    turn.app.submit_many(turn.jobs)
    if not turn.side.app:
        turn.app.collect(turn.jobs)
    with turn.serving() as pids:
        turn.wait_for(1, 0.002)
        first = turn.board.count()
        watched = [pids, [turn.pid] * bool(turn.pid), turn.server.processes()]
        started = [cpu_seconds(one) for one in watched]
        turn.wait_for(turn.jobs)
        measured = max(turn.jobs - first, 1) / 1e6
        spent = [
            (cpu_seconds(one) - since) / measured
            for one, since in zip(watched, started, strict=True)
        ]
    return [turn.jobs / turn.board.seconds(), sum(spent), *spent[1:]]


def idle(turn: RemoteTurn) -> list[float]:
    """Milliseconds from the submit to the outcome in hand, median and 99th of 100."""
    _begin(turn)
    turn.app.submit_many(WARM)
    if not turn.side.app:
        turn.app.collect(WARM)
    taken = []
    with turn.serving():
        turn.wait_for(WARM)
        time.sleep(1.0)
        for _ in range(IDLE):
            sent = time.monotonic_ns()
            if turn.side.app:
                turn.app.submit_one(sent).result(60)
            else:
                turn.app.call(sent)
            taken.append((time.monotonic_ns() - sent) / 1e6)
            # Longer than most wake-ups take to calm down: the system is idle again.
            time.sleep(0.03)
    return list(middle_and_worst(taken))


def call(turn: RemoteTurn) -> list[float]:
    """Microseconds of a call that reads one number, median; its CPU, here and in the server; in the server."""
    ends = [turn.pid] * bool(turn.pid)
    with contextlib.closing(open_store(os.environ["BENCH_URL"])) as store:
        for _ in range(200):
            store.chores()
        here, there, taken = time.process_time(), cpu_seconds(ends), []
        for _ in range(CALLS):
            started = time.perf_counter()
            store.chores()
            taken.append((time.perf_counter() - started) * 1e6)
        spent_here, spent_there = time.process_time() - here, cpu_seconds(ends) - there
    spent = (spent_here + spent_there) / CALLS * 1e6
    return [statistics.median(taken), spent, spent_there / CALLS * 1e6]


def signing(_turn: RemoteTurn) -> list[float]:
    """Microseconds to sign a request of 1 KB, to verify it, and the same of its answer; all four."""
    authkey = secrets.token_bytes(32)
    client, server = ClientHandshake(from_authkey(authkey)), ServerHandshakes(Keyring([authkey]))
    challenge = server.challenge(client.hello())
    assert challenge is not None
    theirs = server.open(client.answer(challenge))
    assert theirs is not None
    ours = client.session()
    started = time.process_time()
    for _ in range(_SIGNED):
        headers = ours.sign("POST", b"/v1/store/claim", b"", _KILOBYTE)
        theirs.verify("POST", b"/v1/store/claim", b"", headers, _KILOBYTE)
        ours.verify(headers, 200, theirs.sign(headers, 200, _KILOBYTE), _KILOBYTE)
    return [(time.process_time() - started) / _SIGNED * 1e6]


def crowd(turn: RemoteTurn) -> list[float]:
    """Per cent of a core that the server takes for 500 who poll and renew, and for one whole worker."""
    return [_watched(turn, "polls", CROWD), _watched(turn, "loops", WORKERS) / WORKERS]


def _watched(turn: RemoteTurn, kind: str, count: int) -> float:
    command = [sys.executable, "-P", str(Path(__file__).with_name("crowd.py")), kind]
    command += [os.environ["BENCH_URL"], str(count // PROCESSES)]
    with contextlib.ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(PROCESSES)
        ]
        for process in started:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError("an idle worker has ended")
        # All polls are parked by then, and what is done once at the start is done.
        time.sleep(3.0)
        before, since = cpu_seconds([turn.pid]), time.monotonic()
        time.sleep(_WATCHED_SECONDS)
        spent, seconds = cpu_seconds([turn.pid]) - before, time.monotonic() - since
        for process in started:
            assert process.stdin is not None
            process.stdin.close()
    return 100 * spent / seconds


def _begin(turn: RemoteTurn) -> None:
    if turn.side.app:
        turn.app.install()


ROWS: dict[str, Callable[[RemoteTurn], list[float]]] = {
    "drain": drain,
    "idle": idle,
    "call": call,
    "signing": signing,
    "crowd": crowd,
}


def takes_part(row: str, name: str) -> bool:
    """Whether a row has anything to say of a side."""
    side = SIDES[name]
    if row == "call":
        return bool(side.app) and side.kind == "sqlite"
    if row == "signing":
        return side.option == KEYED
    return row != "crowd" or side.option == SERVED


if __name__ == "__main__":
    main(*sys.argv[1:])
