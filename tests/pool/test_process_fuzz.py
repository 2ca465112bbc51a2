"""A random child, a random instant, a random signal: only what ran there is lost."""

import collections
import contextlib
import os
import random
import signal
import threading
import time
from concurrent import futures
from typing import Any

import calls
import pytest

from lightwork.errors import WorkerLost
from lightwork.pool.process import ProcessExecutor

pytestmark = [pytest.mark.process, pytest.mark.chaos]

CALLS = int(os.environ.get("LIGHTWORK_FUZZ_CALLS", "3000"))
FATAL = (signal.SIGKILL, signal.SIGSEGV)


class Killer(threading.Thread):
    """Signals random children until it is told to stop."""

    def __init__(self, pool: ProcessExecutor, seed: int) -> None:
        super().__init__()
        self.pool, self.random = pool, random.Random(seed)
        self.stop = threading.Event()
        self.killed: set[int] = set()

    def run(self) -> None:
        while not self.stop.wait(self.random.random() * 0.01):
            pids = self.pool._pool.pids()
            if not pids:
                continue
            pid = self.random.choice(pids)
            with contextlib.suppress(ProcessLookupError):
                if self.random.random() < 0.3:
                    os.kill(pid, signal.SIGSTOP)
                    self.stop.wait(self.random.random() * 0.01)
                    os.kill(pid, signal.SIGCONT)
                else:
                    os.kill(pid, self.random.choice(FATAL))
                    self.killed.add(pid)


def make_call(chance: random.Random, n: int) -> tuple[Any, tuple[Any, ...], object]:
    """Return a function, its arguments and its expected result."""
    kind = chance.random()
    if kind < 0.7:
        return calls.double, (n,), 2 * n
    if kind < 0.8:
        return calls.length, (bytes(chance.randrange(200_000)),), None
    if kind < 0.9:
        return calls.blob, (chance.randrange(200_000),), None
    return calls.sleep, (chance.random() * 0.01, n), n


def test_random_signals_cost_only_calls_that_ran() -> None:
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    resolved: collections.Counter[int] = collections.Counter()
    expected: dict[int, object] = {}
    found: list[futures.Future[Any]] = []
    deadline = time.monotonic() + 15
    with ProcessExecutor(3) as pool:
        killer = Killer(pool, seed)
        killer.start()
        for n in range(CALLS):
            fn, args, result = make_call(chance, n)
            future = pool.submit(fn, *args)
            future.add_done_callback(lambda _, n=n: resolved.update([n]))  # type: ignore[misc]
            found.append(future)
            if result is not None:
                expected[n] = result
            if n % 100 == 99:
                futures.wait(found[-60:], timeout=30)
            if time.monotonic() > deadline:
                break
        not_done = futures.wait(found, timeout=30).not_done
        killer.stop.set()
        killer.join()

    errors = [error for future in found if (error := future.exception(0))]
    wrong = [
        n
        for n, result in expected.items()
        if n < len(found) and not found[n].exception(0) and found[n].result(0) != result
    ]
    assert not not_done, f"seed {seed}"
    assert not wrong, f"seed {seed}"
    assert all(isinstance(error, WorkerLost) for error in errors), f"seed {seed}: {errors}"
    # A dead child costs at most the one call that it ran.
    lost = [error.pid for error in errors if isinstance(error, WorkerLost)]
    assert len(set(lost)) == len(lost), f"seed {seed}"
    assert set(lost) <= killer.killed, f"seed {seed}"
    assert set(resolved.values()) == {1}, f"seed {seed}"
    assert len(resolved) == len(found), f"seed {seed}"
