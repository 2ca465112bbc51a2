"""World: the processes of one run, and what befalls them."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from store.proxy import Proxy
from sync.histories.linearizable import Operation
from sync.histories.recording import read_history
from sync.programs import end_broker, start_broker
from waiting import wait_until

_LEASE: Final = 1.5
_PATIENCE: Final = 90
# Of each client but the one of threads.
_THREADS: Final = 2


class World:
    """The clients of one place.

    Args:
        folder: For histories.
        where: Of the primitives, as clients know it.
        seed: Of all that clients and faults do.
        lease: Of the sessions at stores, seconds: what was killed is waited for as long.
    """

    def __init__(self, folder: Path, where: str, seed: int, lease: float) -> None:
        self._folder, self._where, self._seed, self._lease = folder, where, seed, lease
        self.chance = random.Random(seed)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._count = 0
        # Nanoseconds of the clock of histories.
        self._killed: dict[str, int] = {}
        self._broker_deaths: list[tuple[int, int]] = []

    def start(self, *words: str, threads: int = _THREADS) -> str:
        """Start a client; return its number."""
        number = f"{self._count}"
        self._count += 1
        said = [self._where, f"{self._lease}", number, f"{threads}", f"{self._seed}", *words]
        self._running[number] = subprocess.Popen(
            [sys.executable, "-m", "sync.histories.client", str(self._folder), *said],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        return number

    def wait_for(self, number: str) -> None:
        """Return when a client has used what lives in the arena."""
        file = self._folder / f"{number}.0.history"
        wait_until(
            lambda: file.exists() and file.read_text().count("value without lock"),
            f"client {number} has begun",
        )

    def kill_a_client(self) -> None:
        """Kill one, and start another; never the first: what lives in the arena is there while somebody uses it."""
        number = self.chance.choice([one for one in sorted(self._running) if one != "0"])
        self._killed[number] = time.monotonic_ns()
        killed = self._running.pop(number)
        killed.kill()
        killed.wait(_PATIENCE)
        self.wait_for(self.start())

    def kill_the_broker(self, folder: Path) -> None:
        begin = time.monotonic_ns()
        end_broker(folder)
        # Queues in rings are there for who has them until the next broker answers somebody.
        start_broker(folder)
        self._broker_deaths.append((begin, time.monotonic_ns()))

    def suffer(self, faults: list[Callable[[], None]], count: int) -> None:
        """Let so many of them happen, each after some questions, and some questions after the last."""
        for _ in range(count):
            self._go_on(self.chance.randint(40, 120))
            self.chance.choice(faults)()
        self._go_on(100)

    def _go_on(self, count: int) -> None:
        """Return when so many lines more are recorded."""
        before = self._recorded()
        wait_until(lambda: self._recorded() >= before + count, "clients go on", within=_PATIENCE)

    def _recorded(self) -> int:
        return sum(file.read_bytes().count(b"\n") for file in self._folder.glob("*.history"))

    def end(self, *, but_look: bool = True) -> dict[str, list[Operation]]:
        """Let all clients come to their end, look at what is there then, and return what was done, by key."""
        if but_look:
            # Before the others leave: see kill_a_client.
            last = self.start("drain", threads=1)
            self.wait_for(last)
        (self._folder / "stop").touch()
        self._wait_for([one for one in self._running if not but_look or one != last])
        (self._folder / "left").touch()
        self._wait_for([*self._running])
        return read_history(self._folder, self._killed, self._broker_deaths)

    def _wait_for(self, numbers: list[str]) -> None:
        for number in numbers:
            assert self._running[number].wait(_PATIENCE) == 0, f"client {number} has failed"
            del self._running[number]

    def close(self) -> None:
        for client in self._running.values():
            client.kill()
            client.wait()


@contextmanager
def world(folder: Path, where: str, seed: int, lease: float = _LEASE) -> Iterator[World]:
    made = World(folder, where, seed, lease)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def losing_answers(line: Proxy, chance: random.Random) -> Iterator[None]:
    """Let one answer of some fifty never arrive; its connection is cut."""
    line.loses_answer_to = lambda _sent: chance.random() < 0.02
    yield
    line.loses_answer_to = lambda _sent: False
