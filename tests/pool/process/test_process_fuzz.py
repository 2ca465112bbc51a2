"""A random child, a random instant, a random signal: only what ran there is lost.

LIGHTWORK_FUZZ_CALLS says how many calls are made, LIGHTWORK_FUZZ_SEED which ones
(a failure names its seed: the calls are the same again, the instants are not).
"""

import contextlib
import os
import random
import threading
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import calls
import fuzz_calls
import psutil
import pytest
from fuzzing import Books, Fuzz, Killer

from lightwork.pool.process import child_events
from lightwork.pool.process.executor import ProcessExecutor
from waiting import wait_until

pytestmark = [pytest.mark.process, pytest.mark.chaos]

CALLS = int(os.environ.get("LIGHTWORK_FUZZ_CALLS", "2000"))
SEED = int(os.environ.get("LIGHTWORK_FUZZ_SEED", "0")) or random.randrange(1, 1 << 30)
# Many calls are made in pieces, each a test: so a hang is told from much work.
PIECE = 10_000
# Of each pool: then another one, of another kind, is made.
CALLS_PER_ROUND = 500
# There everything takes several times as long, and whatever spins beside it costs the other testers their cores:
# the short form is one pool.
BUSY_CALLS = 1000 if "LIGHTWORK_FUZZ_CALLS" in os.environ else CALLS_PER_ROUND
WAIT = 60


def belongings() -> tuple[Any, ...]:
    """Return all that a pool could leave behind in this process."""
    descriptors = []
    for fd in Path("/proc/self/fd").iterdir():
        # The one through which the folder is read is gone.
        with contextlib.suppress(FileNotFoundError):
            descriptors.append(f"{fd.name} {fd.readlink()}")
    maps = Path("/proc/self/maps").read_text().splitlines()
    children = {process.pid for process in psutil.Process().children(recursive=True)}
    mapped = [line for line in maps if "/memfd:lightwork" in line]
    return sorted(descriptors), mapped, children, threading.active_count()


def random_options(chance: random.Random) -> dict[str, Any]:
    return {
        "max_workers": chance.randint(1, 4),
        "max_tasks_per_child": chance.choice([None, None, None, 3, 50]),
        "idle_timeout": chance.choice([None, None, 0.005]),
        "logs": chance.random() < 0.2,
    }


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine the killer finds many in a row that are not ready yet, which breaks no pool here."""
    monkeypatch.setattr(child_events, "_RESTART_FAILURES_MAX", 10_000)


@contextlib.contextmanager
def killed_at_random(pool: ProcessExecutor, chance: random.Random) -> Iterator[Killer]:
    # A pool whose every child dies before the first is ready is broken, and says so.
    pool.submit(calls.double, 1).result(WAIT)
    killer = Killer(pool, random.Random(chance.random()))
    killer.start()
    try:
        yield killer
    finally:
        killer.stop()


def is_tidy(pool: ProcessExecutor) -> bool:
    # An idle child keeps what it was lent until its next call: each gets one.
    futures.wait([pool.submit(fuzz_calls.forget) for _ in range(8)], WAIT)
    return pool._pool._arena._free.end == 0


def run_round(chance: random.Random, ran: Path) -> tuple[Books, set[int]]:
    with ProcessExecutor(**random_options(chance)) as pool:
        fuzz = Fuzz(pool, chance, ran)
        try:
            with killed_at_random(pool, chance) as killer:
                while fuzz.books.count < CALLS_PER_ROUND and not fuzz.books.wrong:
                    fuzz.step()
                fuzz.settle()
            fuzz.refs.clear()
            wait_until(lambda: is_tidy(pool), "all memory of arguments is back")
        except BaseException:
            # Else whatever hangs would hang the end of the pool as well.
            pool.kill_workers()
            raise
    return fuzz.books, killer.killed


@pytest.mark.parametrize("piece", range(-(-CALLS // PIECE)))
def test_random_signals_cost_only_calls_that_ran(piece: int, tmp_path: Path) -> None:
    fuzz_pools(SEED + piece, min(PIECE, CALLS - piece * PIECE), tmp_path)


@pytest.mark.usefixtures("busy_machine")
def test_random_signals_cost_only_calls_that_ran_on_a_busy_machine(tmp_path: Path) -> None:
    fuzz_pools(SEED, min(BUSY_CALLS, CALLS), tmp_path)


def fuzz_pools(seed: int, total: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    with ProcessExecutor(1) as warm:
        warm.submit(calls.double, 1).result(WAIT)
    before = belongings()
    done = deaths = lost = stumbled = 0

    while done < total:
        ran = tmp_path / f"{done}"
        # In a short round it may be that nobody notes anything.
        ran.touch()
        books, killed = run_round(chance, ran)
        told = f"LIGHTWORK_FUZZ_SEED={seed}, after {done} calls"

        assert not books.wrong, f"{told}: {books.wrong}"
        # A dead child costs at most the one call, item or chunk that it ran.
        assert not [what for what in books.lost.values() if len(what) > 1], f"{told}: {books.lost}"
        assert set(books.lost) <= killed, told
        assert books.resolved == dict.fromkeys(range(books.count), 1), told
        lines = ran.read_text().split()
        assert len(lines) == len(set(lines)), f"{told}: a call ran twice"
        wait_until(lambda: belongings() == before, f"{told}: {belongings()} is again {before}")
        done += books.count
        deaths += len(killed)
        lost += len(books.lost)
        stumbled += books.stumbled

    print(  # noqa: T201 - what `make soak` shows
        f"seed {seed}: {done} calls, {deaths} children killed, {lost} calls lost, "
        f"{stumbled} bundles that killed three children before their first item"
    )
