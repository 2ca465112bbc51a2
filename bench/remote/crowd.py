"""Crowd: a process with many idle workers of one server; says "ready", and ends with its input.

python crowd.py polls URL COUNT      their clients, each with its long poll, and what heartbeats it needs beside
python crowd.py loops URL COUNT      whole workers, upkeep of the store included

Polls and heartbeats are those of a worker (work/wakeup.py, work/lease.py), by a client of its own each.
"""

import contextlib
import secrets
import sys
import uuid
from collections.abc import Iterator

from lightwork.clock import monotonic
from lightwork.model import DEFAULT_QUEUE, WorkerInfo
from lightwork.net.opening import open_store
from lightwork.work.lease import Lease
from lightwork.work.service import Worker
from lightwork.work.wakeup import StoreWatch

LEASE = 15.0


@contextlib.contextmanager
def polling(url: str) -> Iterator[None]:
    with open_store(url) as store:  # type: ignore[attr-defined]
        info = WorkerInfo(
            id=uuid.UUID(bytes=secrets.token_bytes(16)), name="idle", host="here", pid=1, slots=1
        )
        sent_at = monotonic()
        store.register(info, lease=LEASE)
        lease = Lease(store, info.id, LEASE, on_lost=lambda: print("a lease was lost"))
        lease.start(sent_at)
        watch = StoreWatch(store, lambda: None, (DEFAULT_QUEUE,))
        watch.start()
        yield
        lease.stop()
        watch.stop()


@contextlib.contextmanager
def looping(url: str) -> Iterator[None]:
    worker = Worker(url, executor="threads:1", name="idle")
    worker.start()
    yield
    worker.stop()
    worker.join()


def main(kind: str, url: str, count: str) -> None:
    one = {"polls": polling, "loops": looping}[kind]
    with contextlib.ExitStack() as all_of_them:
        for _ in range(int(count)):
            all_of_them.enter_context(one(url))
        print("ready", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
