"""Client: a process whose threads ask for what chance says, and record it, until a file says stop.

python -m sync.histories.client FOLDER WHERE LEASE NUMBER THREADS SEED [drain]
"""

import contextlib
import queue
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import lightwork as lw
from lightwork.errors import StoreUnavailable
from lightwork.sync import opening
from sync.histories.recording import Recorder
from waiting import wait_until

# Seconds: how long is waited for what may not come, what is held is held, and at most between two questions.
_WAIT: Final = 0.02
_HOLD: Final = 0.003
_PAUSE: Final = 0.006
_PATIENCE: Final = 60.0


class Client:
    """One thread.

    Args:
        where: Of all primitives.
        record: Of this thread.
        chance: Says what is done.
    """

    def __init__(self, where: str, record: Recorder, chance: random.Random) -> None:
        self._call, self._chance = record.call, chance
        self._lock = lw.Lock("lock", where=where)
        self._queues: dict[str, lw.Queue[str]] = {
            "queue": lw.Queue(name="queue", where=where),
            "bounded": lw.Queue(2, name="bounded", where=where),
        }
        self._dict: lw.Dict[str, int] = lw.Dict(name="dict", where=where)
        self._values = {
            "value": lw.Value("q", 0, name="value", where=where),
            "value without lock": lw.Value("q", 0, lock=False, name="without lock", where=where),
        }
        # Each value that is written anywhere is new.
        self._new = chance.randrange(1 << 40) << 16
        self._seen: dict[str, Any] = {}

    def do_something(self) -> None:
        """Ask for one thing, and give back what it got."""
        key = self._chance.choice(["lock", *self._queues, "dict a", "dict b", *self._values])
        if key == "lock":
            self._take_lock(self._chance.choice([0.0, _WAIT, _PATIENCE]))
        elif key in self._queues:
            self._use_queue(key)
        elif key in self._values:
            self._use_value(key)
        else:
            self._use_dict(key)
        # Fewer questions are answered sooner by the checker.
        self._pause(_PAUSE)

    def begin(self) -> None:
        """Use what lives in the arena: it lives as long as somebody does."""
        self._take_lock(_PATIENCE)
        for key, value in self._values.items():
            self._call(key, "get", lambda value=value: value.value)  # type: ignore[misc]

    def drain(self) -> None:
        """Look at all that there is when everybody else has left."""
        for key, one in self._queues.items():
            wait_until(lambda one=one: one._state()[4] == 0, f"nothing of {key} is lent")  # type: ignore[misc]
            while self._call(key, "get", lambda one=one: _got(one, 0.0))[1] is not None:  # type: ignore[misc]
                pass
        for key in ("dict a", "dict b"):
            self._call(key, "get", lambda key=key: self._dict.get(key))  # type: ignore[misc]

    def _pause(self, most: float) -> None:
        # When what happens is the input: no test waits for it.
        time.sleep(self._chance.random() * most)

    def _take_lock(self, timeout: float) -> None:
        def acquire() -> object:
            is_had = self._lock.acquire(timeout=timeout) if timeout else self._lock.acquire(False)
            return (self._lock.token, self._lock.inherited) if is_had else False

        ref, answer = self._call("lock", "acquire", acquire)
        if isinstance(answer, tuple):
            self._pause(_HOLD)
            self._call("lock", "release", _true(self._lock.release), ref)

    def _use_queue(self, key: str) -> None:
        one = self._queues[key]
        timeout = self._chance.choice([0.0, _WAIT])
        # More is taken than put: the order of what waits long is known late, and checked slowly.
        match self._chance.choice(["put"] * 3 + ["get"] * 3 + ["lend"] * 2 + ["size"]):
            case "put":
                item = f"{self._next()}"
                self._call(key, "put", lambda: _put(one, item, timeout), item)
            case "get":
                self._call(key, "get", lambda: _got(one, timeout))
            case "lend":
                self._borrow(key, one, timeout)
            case "size":
                self._call(key, "size", one.qsize)

    def _borrow(self, key: str, one: "lw.Queue[str]", timeout: float) -> None:
        lent: list[Any] = []

        def lend() -> str | None:
            try:
                lent.append(one.get(timeout=timeout, block=bool(timeout), ack=False))
            except queue.Empty:
                return None
            return str(lent[0].value)

        ref, _ = self._call(key, "lend", lend)
        if lent:
            self._pause(_HOLD)
            verb = self._chance.choice(["ack", "nack"])
            self._call(key, verb, _true(lent[0].ack if verb == "ack" else lent[0].nack), ref)

    def _use_dict(self, key: str) -> None:
        mine, new = self._dict, self._next()
        match self._chance.choice(["get", "set", "add", "swap", "swap", "delete", "pop", "clear"]):
            case "get":
                self._call(key, "get", lambda: mine.get(key))
            case "set":
                self._call(key, "set", _true(lambda: mine.__setitem__(key, new)), new)
            case "add":
                self._call(key, "add", lambda: mine.setdefault(key, new), new)
            case "swap":
                # Several at once, so that others come between the look and the write.
                for _ in range(3):
                    self._swap(key)
            case "delete":
                self._call(key, "delete", lambda: _is_deleted(mine, key))
            case "pop":
                self._call(key, "pop", lambda: mine.pop(key, None))
            case "clear" if self._chance.random() < 0.2:
                self._call("dict", "clear", _true(mine.clear))

    def _swap(self, key: str) -> None:
        mine, new = self._dict, self._next()
        _, old = self._call(key, "get", lambda: mine.get(key))
        if isinstance(old, int):
            self._call(key, "swap", lambda: mine.compare_and_set(key, old, new), old, new)

    def _use_value(self, key: str) -> None:
        mine, new, old = self._values[key], self._next(), self._seen.get(key, 0)
        match self._chance.choice(["get", "set", "swap"]):
            case "get":
                _, answer = self._call(key, "get", lambda: mine.value)
                self._seen[key] = answer
            case "set":
                self._call(key, "set", _true(lambda: setattr(mine, "value", new)), new)
            case "swap" if isinstance(old, int):
                self._call(key, "swap", lambda: mine.compare_and_set(old, new), old, new)

    def _next(self) -> int:
        self._new += 1
        return self._new


def _true(act: Callable[[], object]) -> Callable[[], bool]:
    """Return what does the same and answers only that it is done."""

    def done() -> bool:
        act()
        return True

    return done


def _put(one: "lw.Queue[str]", item: str, timeout: float) -> bool:
    try:
        one.put(item, timeout=timeout, block=bool(timeout))
    except queue.Full:
        return False
    return True


def _got(one: "lw.Queue[str]", timeout: float) -> str | None:
    try:
        return one.get(timeout=timeout, block=bool(timeout))
    except queue.Empty:
        return None


def _is_deleted(mine: "lw.Dict[str, int]", key: str) -> bool:
    try:
        del mine[key]
    except KeyError:
        return False
    return True


def client_main(words: list[str]) -> None:
    """Do what the words of the command line say."""
    folder, where, lease, number, threads, seed, *rest = words
    if "://" in where:
        # Stores: only where one is asked for.
        from lightwork.sync.stored.host import open_stored

        def is_open() -> bool:
            with contextlib.suppress(StoreUnavailable):
                opening._hosts[where] = open_stored(where, lease=float(lease))
            return where in opening._hosts

        wait_until(is_open, "the store is reached")
    failed: list[BaseException] = []

    def run(thread: int) -> None:
        record = Recorder(Path(folder), f"{number}.{thread}")
        client = Client(where, record, random.Random(f"{seed} {number} {thread}"))
        stop = Path(folder, "stop")
        try:
            client.begin()
            if rest:
                wait_until(Path(folder, "left").exists, "the others have left")
                client.drain()
            while not stop.exists():
                client.do_something()
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            record.close()

    running = [threading.Thread(target=run, args=[one]) for one in range(int(threads))]
    for one in running:
        one.start()
    for one in running:
        one.join()
    sys.exit(bool(failed))


if __name__ == "__main__":
    client_main(sys.argv[1:])
