"""Client: a process whose threads ask for what chance says, and record it, until a file says stop.

python -m sync.histories.client FOLDER WHERE LEASE NUMBER THREADS SEED [drain]
"""

import contextlib
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
from sync.histories.queue_calls import (
    got,
    got_many,
    is_done,
    is_joined,
    lent,
    lent_many,
    put,
    put_many,
    true,
)
from sync.histories.queue_model import SHUT_DOWN, refs_of
from sync.histories.recording import Recorder
from waiting import wait_until

# Seconds: how long is waited for what may not come, what is held is held, and at most between two questions.
_WAIT: Final = 0.02
_HOLD: Final = 0.003
_PAUSE: Final = 0.006
_PATIENCE: Final = 60.0
_QUEUES: Final = ("queue", "bounded", "ring", "small ring", "short", "short")
# At most so many are got at once.
_MANY: Final = 3


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
            # Between processes these two stay in shared memory: nothing of them is lent.
            "ring": lw.Queue(name="ring", where=where),
            "small ring": lw.Queue(3, name="small ring", where=where),
        }
        # Of those that are shut down, which one is in use; those before stay with who has had them.
        self._short = 0
        self._where = where
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
        key = self._chance.choice(["lock", *_QUEUES, "dict a", "dict b", *self._values])
        if key == "lock":
            self._take_lock(self._chance.choice([0.0, _WAIT, _PATIENCE]))
        elif key in _QUEUES:
            self._use_queue(f"short {self._short}" if key == "short" else key)
        elif key in self._values:
            self._use_value(key)
        else:
            self._use_dict(key)
        # Fewer questions are answered sooner by the checker.
        self._pause(_PAUSE)

    def wait_for_host(self) -> None:
        """Return when a session can be had: what is asked before that has no answer, and each such one is a doubt to the checker."""
        host = self._lock._host

        def is_there() -> bool:
            with contextlib.suppress(StoreUnavailable):
                return bool(host.session)
            return False

        wait_until(is_there, "the host is there again")

    def begin(self) -> None:
        """Use what lives in the arena: it lives as long as somebody does."""
        self._take_lock(_PATIENCE)
        for key, value in self._values.items():
            self._call(key, "get", lambda value=value: value.value)  # type: ignore[misc]

    def drain(self) -> None:
        """Look at all that there is when everybody else has left."""
        for key, one in self._queues.items():
            wait_until(lambda one=one: one._state()[4] == 0, f"nothing of {key} is lent")  # type: ignore[misc]
            while self._get(key, "get", lambda one=one: got(one, 0.0)) not in (None, SHUT_DOWN):  # type: ignore[misc]
                pass
            self._call(key, "join", lambda one=one: is_joined(one, 0.0))  # type: ignore[misc]
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
            self._call("lock", "release", true(self._lock.release), ref)

    def _use_queue(self, key: str) -> None:
        one, timeout = self._queue(key), self._chance.choice([0.0, _WAIT])
        # More is taken than put: the order of what waits long is known late, and checked slowly.
        verbs = ["put"] * 2 + ["put_many"] + ["get"] * 3 + ["get_many"] + ["done"] * 2
        verbs += ["size", "join"]
        if "ring" not in key:
            verbs += ["lend", "lend_many"]
        if key.startswith("short"):
            verbs += ["shut"]
        match self._chance.choice(verbs):
            case "put":
                item = f"{self._next()}"
                self._call(key, "put", lambda: put(one, item, timeout), item)
            case "put_many":
                items = [f"{self._next()}" for _ in range(self._chance.randint(1, 3))]
                self._call(key, "put_many", lambda: put_many(one, items, timeout), items)
            case "get":
                self._get(key, "get", lambda: got(one, timeout))
            case "get_many":
                self._get(key, "get_many", lambda: got_many(one, _MANY, timeout), _MANY)
            case "lend" | "lend_many" as verb:
                self._borrow(key, one, verb, timeout)
            case "done":
                self._call(key, "done", lambda: is_done(one))
            case "join":
                self._call(key, "join", lambda: is_joined(one, timeout))
            case "size":
                self._call(key, "size", one.qsize)
            case "shut":
                is_immediate = self._chance.random() < 0.3
                shut = true(lambda: one.shutdown(is_immediate))
                self._call(key, "shut", shut, is_immediate)

    def _queue(self, key: str) -> "lw.Queue[str]":
        if key not in self._queues:
            self._queues[key] = lw.Queue(3, name=key, where=self._where)
        return self._queues[key]

    def _get(self, key: str, verb: str, act: Callable[[], Any], *args: int) -> Any:
        _, answer = self._call(key, verb, act, *args)
        if answer == SHUT_DOWN and key == f"short {self._short}":
            self._short += 1
        return answer

    def _borrow(self, key: str, one: "lw.Queue[str]", verb: str, timeout: float) -> None:
        found: list[lw.Unacked[str]] = []

        def lend() -> object:
            if verb == "lend":
                answer = lent(one, timeout)
                found.extend(() if isinstance(answer, str) or answer is None else (answer,))
                return found[0].value if found else answer
            many = lent_many(one, _MANY, timeout)
            found.extend(() if isinstance(many, str) or many is None else many)
            return [item.value for item in found] or many

        ref, _ = self._call(key, verb, lend, *(() if verb == "lend" else (_MANY,)))
        if not found:
            return
        self._pause(_HOLD)
        refs = (ref,) if verb == "lend" else refs_of(ref, len(found))
        # All at once, or some of them and then the others.
        first = self._chance.randint(1, len(found))
        for some in (slice(first), slice(first, None)):
            items = found[some]
            if items:
                back = self._chance.choice(["ack", "nack"])
                act = one.ack if back == "ack" else one.nack
                self._call(key, back, true(lambda a=act, i=items: a(*i)), *refs[some])  # type: ignore[misc]

    def _use_dict(self, key: str) -> None:
        mine, new = self._dict, self._next()
        match self._chance.choice(["get", "set", "add", "swap", "swap", "delete", "pop", "clear"]):
            case "get":
                self._call(key, "get", lambda: mine.get(key))
            case "set":
                self._call(key, "set", true(lambda: mine.__setitem__(key, new)), new)
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
                self._call("dict", "clear", true(mine.clear))

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
                self._call(key, "set", true(lambda: setattr(mine, "value", new)), new)
            case "swap" if isinstance(old, int):
                self._call(key, "swap", lambda: mine.compare_and_set(old, new), old, new)

    def _next(self) -> int:
        self._new += 1
        return self._new


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
                if record.is_cut_off:
                    client.wait_for_host()
                    record.is_cut_off = False
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
