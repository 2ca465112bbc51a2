"""Rows: each measures one side, with processes of its own, and returns its figures."""

import os
import signal
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from multiprocessing.connection import Connection
from typing import Any, Final

from local.report import Figure
from primitives.sides import BATCH, CONTEXT, Side

# Until a process that was told to wait for something surely does; seconds.
_SETTLED: Final = 0.002
# The same where to say that it waits is a transaction.
_SETTLED_STORED: Final = 0.05
_PATIENCE: Final = 60.0
_TURN: Final = 100


@dataclass(frozen=True, slots=True)
class Work:
    """How much is done for one figure."""

    pairs: int = 20_000
    hand_offs: int = 200
    kills: int = 10
    items: int = 20_000
    trips: int = 1000
    batches: int = 100
    stored: int = 40

    def part(self, share: float) -> "Work":
        """Return as much less, and something of each."""
        return Work(*(max(round(count * share), 3) for count in astuple(self)))


@dataclass(frozen=True, slots=True)
class Row:
    """What is measured: the name by which sides take part, the figure, and how."""

    name: str
    figure: Figure
    measure: Callable[[Any, Work], float]


def free(side: Side, work: Work) -> float:
    """Acquire and release what nobody else wants; microseconds for both."""
    return _pair(side.lock(), work)


def slot(side: Any, work: Work) -> float:
    """Do the same with a semaphore, which lightwork asks of the broker: two round trips."""
    return _pair(side.semaphore(), work)


def _pair(lock: Any, work: Work) -> float:
    lock.acquire()
    lock.release()
    # In the median of short turns: a long one is interrupted by whatever else the machine does.
    turn = min(_TURN, work.pairs)
    return statistics.median(_pairs(lock, turn) for _ in range(work.pairs // turn)) * 1e6


def _pairs(lock: Any, count: int) -> float:
    began = time.monotonic()
    for _ in range(count):
        lock.acquire()
        lock.release()
    return (time.monotonic() - began) / count


def hand_off(side: Side, work: Work) -> float:
    """Return microseconds from a release to the acquire in another process that waits, in the median."""
    lock = side.lock()
    with _child(_take_when_told, lock) as line:
        return statistics.median(_handed_off(lock, line) for _ in range(work.hand_offs)) * 1e6


def _handed_off(lock: Any, line: Connection, settled: float = _SETTLED) -> float:
    lock.acquire()
    line.send(None)
    time.sleep(settled)
    began = time.monotonic()
    lock.release()
    return _hear(line) - began


def _take_when_told(line: Connection, lock: Any) -> None:
    while True:
        line.recv()
        lock.acquire()
        at = time.monotonic()
        lock.release()
        line.send(at)


def stored(side: Any, work: Work) -> float:
    """Return milliseconds of a hand-off through a database, in the median."""
    with side.database() as url, _child(_open_and_take, side, url) as line:
        lock = side.stored_lock(url)
        # The first one makes the store.
        lock.acquire()
        lock.release()
        line.send(None)
        _hear(line)
        times = [_handed_off(lock, line, _SETTLED_STORED) for _ in range(work.stored)]
        return statistics.median(times) * 1e3


def _open_and_take(line: Connection, side: Any, url: str) -> None:
    line.recv()
    # Not inherited: each process has a session of its own there.
    lock = side.stored_lock(url)
    line.send(0.0)
    _take_when_told(line, lock)


def killed(side: Side, work: Work) -> float:
    """Return milliseconds from the kill of a holder to the acquire in a process that waits, in the median."""
    lock = side.lock()
    with _child(_take_when_told, lock) as line:
        return statistics.median(_inherited(lock, line) for _ in range(work.kills)) * 1e3


def _inherited(lock: Any, line: Connection) -> float:
    with _child(_take_and_keep, lock) as holder:
        pid = int(_hear(holder))
        line.send(None)
        time.sleep(_SETTLED)
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        return _hear(line) - began


def _take_and_keep(line: Connection, lock: Any) -> None:
    lock.acquire()
    line.send(float(os.getpid()))
    time.sleep(_PATIENCE)


def start(side: Any, work: Work) -> float:
    """Return milliseconds from nothing to the first answer of a broker, in the median."""
    return statistics.median(float(side.start()) for _ in range(work.kills)) * 1e3


def stream(side: Side, work: Work) -> float:
    """Put one by one in one process, get one by one in another; items a second."""
    queue = side.queue()
    with _child(_put_one_by_one, queue, work.items):
        queue.get()
        began = time.monotonic()
        for _ in range(work.items):
            queue.get()
        return work.items / (time.monotonic() - began)


def _put_one_by_one(line: Connection, queue: Any, count: int) -> None:
    for number in range(count + 1):
        queue.put(number)
    line.recv()


def crowd(side: Side, work: Work) -> float:
    """Put one by one in two processes, get one by one in two others; items a second."""
    queue, half = side.queue(), work.items // 2
    with (
        _child(_get_some, queue, half) as one,
        _child(_get_some, queue, half) as other,
        _child(_put_when_told, queue, half) as first,
        _child(_put_when_told, queue, half) as second,
    ):
        began = time.monotonic()
        first.send(None)
        second.send(None)
        return 2 * half / (max(_hear(one), _hear(other)) - began)


def _put_when_told(line: Connection, queue: Any, count: int) -> None:
    line.recv()
    for number in range(count):
        queue.put(number)
    line.recv()


def _get_some(line: Connection, queue: Any, count: int) -> None:
    for _ in range(count):
        queue.get()
    line.send(time.monotonic())
    line.recv()


def batches(side: Side, work: Work) -> float:
    """Do the same with many at once, where the library has that; items a second."""
    queue = side.queue()
    with _child(_put_batches, side, queue, work.batches):
        count = len([*side.get_many(queue)])
        began, before = time.monotonic(), count
        while count < work.batches * BATCH:
            count += len([*side.get_many(queue)])
        return (count - before) / (time.monotonic() - began)


def _put_batches(line: Connection, side: Side, queue: Any, count: int) -> None:
    for _ in range(count):
        side.put_many(queue, range(BATCH))
    line.recv()


def back(side: Side, work: Work) -> float:
    """Send an item to another process and one back, by two queues; microseconds, in the median."""
    there, here = side.queue(), side.queue()
    with _child(_echo, there, here):
        times = []
        for _ in range(work.trips):
            began = time.monotonic()
            there.put(1)
            here.get()
            times.append(time.monotonic() - began)
        return statistics.median(times) * 1e6


def _echo(_line: Connection, there: Any, here: Any) -> None:
    while True:
        here.put(there.get())


@contextmanager
def _child(act: Callable[..., None], *args: Any) -> Iterator[Connection]:
    """Run `act(line, *args)` in a forked process, which is killed at the end."""
    ours, theirs = CONTEXT.Pipe()
    process = CONTEXT.Process(target=act, args=(theirs, *args), daemon=True)
    process.start()
    try:
        yield ours
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()
        theirs.close()


def _hear(line: Connection) -> float:
    if not line.poll(_PATIENCE):
        raise TimeoutError(f"nothing was heard within {_PATIENCE:g} s")
    return float(line.recv())


ROWS: Final[Sequence[Row]] = (
    Row("free", Figure("Lock, free: acquire, release", "us", more_is_better=False), free),
    Row("hand-off", Figure("Lock, hand-off", "us", more_is_better=False), hand_off),
    Row(
        "stored",
        Figure("Lock, hand-off through PostgreSQL", "ms", more_is_better=False),
        stored,
    ),
    Row("killed", Figure("Lock, after kill -9 of its holder", "ms", more_is_better=False), killed),
    Row("start", Figure("Broker, started and asked", "ms", more_is_better=False), start),
    Row("slot", Figure("Semaphore: acquire, release", "us", more_is_better=False), slot),
    Row("stream", Figure("Queue, one by one", "items/s"), stream),
    Row("crowd", Figure("Queue, two put and two get", "items/s"), crowd),
    Row("back", Figure("Queue, there and back", "us", more_is_better=False), back),
    Row("batches", Figure("Queue, batches of 1000", "items/s"), batches),
)
BY_NAME: Final[Mapping[str, Row]] = {row.name: row for row in ROWS}
