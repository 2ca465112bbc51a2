"""What the kill fuzzer does and expects: random calls, random signals, and the books of both."""

import contextlib
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import big
import calls
import fuzz_calls

from lightwork.errors import WorkerLost
from lightwork.pool.call.options import CallOptions
from lightwork.pool.link.child_state import ChildState
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.wire.ref import Ref
from lightwork.tasks.task import task

WAIT = 60
FATAL = (signal.SIGKILL, signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM)
LARGEST = 1 << 20
MODES: tuple[Any, ...] = ("no", "ask", "kill")


class Killer(threading.Thread):
    """Signals random children at random instants until it is told to stop."""

    def __init__(self, pool: ProcessExecutor, chance: random.Random) -> None:
        super().__init__(name="killer")
        self._pool, self._chance = pool, chance
        # Seconds at most between two signals: some trouble only long lives can have.
        self._pause = chance.choice((0.005, 0.02, 0.1))
        self._told = threading.Event()
        self.killed: set[int] = set()

    def run(self) -> None:
        while not self._told.wait(self._chance.random() * self._pause):
            if pids := self._pids():
                # It may have ended since the list was made.
                with contextlib.suppress(ProcessLookupError):
                    self._signal(self._chance.choice(pids))

    def _pids(self) -> list[int]:
        pool = self._pool._pool
        if self._chance.random() < 0.2:
            return pool.pids()
        # A pool breaks when too many children in a row die before they are ready: on a
        # busy machine, where starting takes long, they would if they were not spared.
        with pool._lock:
            unready = (ChildState.STARTING, ChildState.LEAVING_UNREADY)
            return [link.pid for link in pool._children if link.state not in unready and link.pid]

    def _signal(self, pid: int) -> None:
        if self._chance.random() < 0.3:
            os.kill(pid, signal.SIGSTOP)
            self._told.wait(self._chance.random() * 0.01)
            os.kill(pid, signal.SIGCONT)
        else:
            self.killed.add(pid)
            os.kill(pid, self._chance.choice(FATAL))

    def stop(self) -> None:
        self._told.set()
        self.join()


@dataclass
class Books:
    """What was asked for, what came, and what is wrong with that."""

    wrong: list[str] = field(default_factory=list)
    # By pid of the child: the calls, items or chunks that were lost with it.
    lost: dict[int, list[str]] = field(default_factory=dict)
    # Bundles whose every item was lost: three children died before the first one began.
    stumbled: int = 0
    resolved: Counter[int] = field(default_factory=Counter)
    count: int = 0

    def note(self, what: str, error: BaseException | None, allowed: tuple[type, ...]) -> None:
        """Enter one outcome that is no value."""
        if isinstance(error, WorkerLost):
            self.lost.setdefault(error.pid, []).append(what)
        elif not isinstance(error, allowed):
            self.wrong.append(f"{what}: {error!r}")


@dataclass
class _Waiting:
    what: str
    future: futures.Future[Any]
    is_right: Callable[[Any], object]
    allowed: tuple[type, ...]


class Fuzz:
    """Random calls to one pool."""

    def __init__(self, pool: ProcessExecutor, chance: random.Random, ran: Path) -> None:
        self.pool, self.chance = pool, chance
        # A line for every run of a call that is noted.
        self.ran = ran
        self.books = Books()
        self.refs: list[tuple[int, Ref[big.Array]]] = []
        self._waiting: list[_Waiting] = []

    def step(self) -> None:
        """Do one random thing."""
        (kind,) = self.chance.choices(list(KINDS), list(KINDS.values()))
        kind(self)
        if len(self._waiting) > 150:
            self.settle(keep=60)

    def settle(self, keep: int = 0) -> None:
        """Enter outcomes of the oldest calls, once they are there."""
        ready = self._waiting[: len(self._waiting) - keep]
        del self._waiting[: len(ready)]
        not_done = futures.wait([one.future for one in ready], WAIT).not_done
        self.books.wrong += [f"{one.what}: no end" for one in ready if one.future in not_done]
        for one in ready:
            if one.future not in not_done:
                self._enter(one)

    def _enter(self, one: _Waiting) -> None:
        if one.future.cancelled():
            self.books.note(one.what, futures.CancelledError(), one.allowed)
        elif (error := one.future.exception()) is not None:
            self.books.note(one.what, error, one.allowed)
        elif not one.is_right(one.future.result()):
            self.books.wrong.append(f"{one.what}: a wrong result")

    def expect(
        self,
        what: str,
        future: futures.Future[Any],
        is_right: Callable[[Any], object],
        *allowed: type,
    ) -> None:
        """Remember a call; its outcome must be right, lost, or an allowed exception."""
        number = self.books.count
        self.books.count += 1
        future.add_done_callback(lambda _: self.books.resolved.update([number]))
        self._waiting.append(_Waiting(f"{what} {number}", future, is_right, allowed))

    def random_array(self) -> tuple[int, int, big.Array]:
        value, size = self.chance.randrange(256), self.chance.randrange(1 << 15, LARGEST)
        return value, size, big.filled(value, size)


# --- kinds of calls


def short(fuzz: Fuzz) -> None:
    n = fuzz.books.count
    fuzz.expect("short", fuzz.pool.submit(calls.double, n), lambda value: value == 2 * n)


def noted(fuzz: Fuzz) -> None:
    n = fuzz.books.count
    future = fuzz.pool.submit(fuzz_calls.note, str(fuzz.ran), n)
    fuzz.expect("noted", future, lambda value: value == 2 * n)


def sleeping(fuzz: Fuzz) -> None:
    n, seconds = fuzz.books.count, fuzz.chance.random() * 0.01
    fuzz.expect("sleep", fuzz.pool.submit(calls.sleep, seconds, n), lambda value: value == n)


def with_bytes(fuzz: Fuzz) -> None:
    size = fuzz.chance.randrange(200_000)
    fuzz.expect("bytes", fuzz.pool.submit(calls.length, bytes(size)), lambda value: value == size)
    fuzz.expect("blob", fuzz.pool.submit(calls.blob, size), lambda value: value == bytes(size))


def with_large_argument(fuzz: Fuzz) -> None:
    value, size, array = fuzz.random_array()
    future = fuzz.pool.submit(big.size_and_values, array)
    fuzz.expect("argument", future, lambda seen: seen == (size, {value}))


def with_large_both(fuzz: Fuzz) -> None:
    value, _, array = fuzz.random_array()
    future = fuzz.pool.submit(big.echo, array)
    fuzz.expect("both", future, lambda seen: big.values(seen) == {value})


def with_kept_arguments(fuzz: Fuzz) -> None:
    # Several at once, so that some meet in one child before that is killed.
    for _ in range(6):
        value, _, array = fuzz.random_array()
        future = fuzz.pool.submit(fuzz_calls.keep_and_check, array, value)
        fuzz.expect("kept", future, lambda is_right: is_right)


def with_reference(fuzz: Fuzz) -> None:
    if not fuzz.refs or fuzz.chance.random() < 0.1:
        value, _, array = fuzz.random_array()
        fuzz.refs.append((value, fuzz.pool.put(array)))
    del fuzz.refs[:-3]
    value, ref = fuzz.chance.choice(fuzz.refs)
    fuzz.expect("ref", fuzz.pool.submit(big.first_of, ref), lambda seen: seen[0] == value)


def with_progress(fuzz: Fuzz) -> None:
    heard: list[Any] = []
    options = CallOptions(on_progress=heard.append)
    future = fuzz.pool.start_call(calls.report, (5,), {}, options)
    fuzz.expect("progress", future, lambda _: heard and heard[-1].done == 5)


def failing(fuzz: Fuzz) -> None:
    text = "x" * fuzz.chance.randrange(1, 100_000)
    fuzz.expect("error", fuzz.pool.submit(calls.fail, text), lambda _: False, ValueError)


def cancelled(fuzz: Fuzz) -> None:
    n = fuzz.books.count
    future = fuzz.pool.submit(calls.sleep, fuzz.chance.random() * 0.01, n)
    fuzz.expect("cancel", future, lambda value: value == n, futures.CancelledError)
    if fuzz.chance.random() < 0.5:
        short(fuzz)
    future.cancel(running=fuzz.chance.choice(MODES))


def overdue(fuzz: Fuzz) -> None:
    n, limited = fuzz.books.count, task(timeout=0.005)(calls.sleep)
    future = fuzz.pool.submit(limited, fuzz.chance.random() * 0.02, n)
    fuzz.expect("timeout", future, lambda value: value == n, TimeoutError)


def mapped_singly(fuzz: Fuzz) -> None:
    _map(fuzz, fuzz.chance.randrange(20, 200), 1)


def mapped_auto(fuzz: Fuzz) -> None:
    _map(fuzz, fuzz.chance.randrange(20, 400), "auto")


def _map(fuzz: Fuzz, total: int, chunksize: Any) -> None:
    books = fuzz.books
    first = books.count
    given = ((str(fuzz.ran), first + n) for n in range(total))
    found: list[Any] = list(
        fuzz.pool.map(fuzz_calls.note_pair, given, chunksize=chunksize, errors="return")
    )
    name = f"map {books.count}, {chunksize}"
    books.count += total
    books.resolved.update(range(first, books.count))
    if len(found) != total:
        books.wrong.append(f"{name}: {len(found)} results of {total}")
    chunks: set[tuple[int, str]] = set()
    for n, value in enumerate(found):
        if value == 2 * (first + n):
            continue
        if "in one chunk" in str(value):
            # One loss, told for every item of the chunk.
            chunks.add((value.pid, str(value)))
        else:
            books.note(f"{name}, item {n}", value if isinstance(value, BaseException) else None, ())
    for pid, _ in chunks:
        books.lost.setdefault(pid, []).append(f"{name}, a chunk")
        books.stumbled += chunksize == 1


# How often each is done, compared with the others.
KINDS: dict[Callable[[Fuzz], None], int] = {
    short: 60,
    noted: 40,
    sleeping: 20,
    with_bytes: 10,
    with_large_argument: 6,
    with_large_both: 6,
    with_kept_arguments: 3,
    with_reference: 10,
    with_progress: 6,
    failing: 6,
    cancelled: 15,
    overdue: 8,
    mapped_singly: 1,
    mapped_auto: 1,
}
