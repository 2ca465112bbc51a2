"""Sides: a lock and a queue of each library, behind the same few names."""

import importlib.util
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from multiprocessing.managers import SyncManager
from pathlib import Path
from queue import Empty
from typing import Any, Final

import lightwork as lw
from lightwork.sync.broker.protocol import LOCK
from lightwork.sync.broker.shortcuts import ArenaBroker
from lightwork.sync.host import Place
from primitives.database import empty_database

# Forked where it is measured: what is shared is inherited, and no start is part of a figure.
CONTEXT: Final = multiprocessing.get_context("fork")
BATCH: Final = 1000
# Of faster-fifo: as much as it needs to be never full here.
_RING: Final = 8 << 20


class Side:
    """A library, with the default setting of each of its primitives.

    Attributes:
        library: The name of its distribution.
        does: The rows in which it takes part; see rows.py.
        share: How much of the work it does, where all of it would take minutes.
    """

    library = ""
    does: frozenset[str] = frozenset()
    share: float = 1.0

    def lock(self) -> Any:
        """Return a new lock between processes."""
        raise NotImplementedError

    def queue(self) -> Any:
        """Return a new unbounded queue between processes."""
        raise NotImplementedError

    def put_many(self, queue: Any, items: Sequence[int]) -> None:
        """Put all, in the fastest way that it has."""
        for item in items:
            queue.put(item)

    def get_many(self, queue: Any) -> Iterable[int]:
        """Get at least one, in the fastest way that it has."""
        return (queue.get(),)

    def close(self) -> None:
        """End what was started."""


LOCKS: Final = frozenset({"free", "hand-off"})
QUEUES: Final = frozenset({"stream", "crowd", "back", "batches"})


class Lightwork(Side):
    """The broker, and the arena for locks."""

    library = "lightwork"
    does = LOCKS | QUEUES | {"stored", "killed", "start", "slot"}

    def lock(self) -> Any:
        return lw.Lock()

    def database(self) -> AbstractContextManager[str]:
        """Make an empty database; its URL."""
        return empty_database()

    def stored_lock(self, url: str) -> Any:
        """Return this process's own object for the lock in that store."""
        return lw.Lock("measured", where=url)

    def start(self) -> float:
        """Return how long a broker takes to start and to answer; seconds."""
        with tempfile.TemporaryDirectory() as folder:
            broker = ArenaBroker(f"{folder}/run")
            began = time.monotonic()
            broker.ask(Place("event", "any", ()), "is_set")
            took = time.monotonic() - began
            broker.close()
            os.close(broker._folder)
            os.kill(int(Path(folder, "run", LOCK).read_text()), signal.SIGKILL)
        return took

    def semaphore(self) -> Any:
        """Return what is always asked of the broker."""
        return lw.Semaphore(1)

    def queue(self) -> Any:
        return lw.Queue[int]()

    def put_many(self, queue: Any, items: Sequence[int]) -> None:
        queue.put_many(items)

    def get_many(self, queue: Any) -> Iterable[int]:
        got: Iterable[int] = queue.get_many(BATCH)
        return got


class Multiprocessing(Side):
    """Semaphores of POSIX, and a pipe with a thread that feeds it."""

    does = LOCKS | QUEUES | {"slot"}

    def lock(self) -> Any:
        return CONTEXT.Lock()

    def semaphore(self) -> Any:
        """Return a semaphore."""
        return CONTEXT.Semaphore(1)

    def queue(self) -> Any:
        return CONTEXT.Queue()


class Manager(Side):
    """Its manager: a process that is asked, as the broker is."""

    does = LOCKS | QUEUES | {"slot"}

    def __init__(self) -> None:
        self._manager = SyncManager(ctx=CONTEXT)
        self._manager.start()

    def lock(self) -> Any:
        return self._manager.Lock()

    def semaphore(self) -> Any:
        """Return a semaphore."""
        return self._manager.Semaphore(1)

    def queue(self) -> Any:
        return self._manager.Queue()

    def close(self) -> None:
        self._manager.shutdown()


class FasterFifo(Side):
    """A ring in shared memory; pickled by itself, as the others do."""

    library = "faster-fifo"
    does = QUEUES

    def queue(self) -> Any:
        import faster_fifo

        return faster_fifo.Queue(_RING)

    def put_many(self, queue: Any, items: Sequence[int]) -> None:
        queue.put_many([*items])

    def get_many(self, queue: Any) -> Iterable[int]:
        try:
            got: Iterable[int] = queue.get_many(max_messages_to_get=BATCH, timeout=10.0)
        except Empty:
            raise TimeoutError("no items within 10 s") from None
        return got


def _dask() -> Side:
    from primitives.dask_side import Dask

    return Dask()


SIDES: Final[Mapping[str, Callable[[], Side]]] = {
    "lightwork": Lightwork,
    "mp": Multiprocessing,
    "mp Manager": Manager,
    "fasterfifo": FasterFifo,
    "Dask": _dask,
}
# What must be installed for a side, beside lightwork.
_NEEDED: Final[Mapping[str, str]] = {"fasterfifo": "faster_fifo", "Dask": "distributed"}


def is_installed(name: str) -> bool:
    """Whether the side can take part here."""
    return name not in _NEEDED or importlib.util.find_spec(_NEEDED[name]) is not None
