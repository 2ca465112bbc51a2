"""Dask: its Lock and Queue, which a scheduler keeps, as one side more; imported only where it is installed."""

import os
import subprocess
import sys
from typing import Any, Final
from uuid import uuid4

from primitives.sides import LOCKS, Side

# On this machine's own address, at a port that is free, without a dashboard.
_SCHEDULER: Final = """
import asyncio
from distributed import Scheduler
async def main():
    async with Scheduler(host="127.0.0.1", port=0, dashboard=False) as scheduler:
        print(scheduler.address, flush=True)
        await scheduler.finished()
asyncio.run(main())
"""


class _Known:
    """A lock or queue by its name: each process that uses it is a client of its own."""

    def __init__(self, side: "Dask", kind: str) -> None:
        self._side, self._kind = side, kind
        self._name = uuid4().hex
        self._of_process: tuple[int, Any] = (0, None)

    def __getattr__(self, verb: str) -> Any:
        pid, found = self._of_process
        if pid != os.getpid():
            found = self._side.find(self._kind, self._name)
            self._of_process = (os.getpid(), found)
        return getattr(found, verb)


class Dask(Side):
    """A scheduler that is asked over TCP, without workers."""

    library = "distributed"
    # It has no way to put many at once.
    does = LOCKS | {"stream", "back"}
    share = 0.01

    def __init__(self) -> None:
        self._scheduler = subprocess.Popen(
            [sys.executable, "-c", _SCHEDULER],
            env={**os.environ, "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "error"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._scheduler.stdout is not None
        self._address = self._scheduler.stdout.readline().strip()
        self._clients: dict[int, Any] = {}

    def find(self, kind: str, name: str) -> Any:
        """Return this process's lock or queue of a name."""
        import distributed

        if os.getpid() not in self._clients:
            # The default one of its process, which locks ask.
            self._clients[os.getpid()] = distributed.Client(self._address)
        return getattr(distributed, kind)(name)

    def lock(self) -> Any:
        return _Known(self, "Lock")

    def queue(self) -> Any:
        return _Known(self, "Queue")

    def close(self) -> None:
        if client := self._clients.get(os.getpid()):
            client.close()
        self._scheduler.kill()
        self._scheduler.wait()
        assert self._scheduler.stdout is not None
        self._scheduler.stdout.close()
