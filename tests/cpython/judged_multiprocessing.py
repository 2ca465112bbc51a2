"""Our processes, pools and primitives where CPython's tests of multiprocessing look for theirs.

Imported by the judge and by every process that its tests start (never run as a script, which each
of these would run again). Where the tests name the module `multiprocessing` themselves, ours is put in
its place.
"""

import multiprocessing
import multiprocessing.pool
import unittest
from typing import Any, Final

from test import _test_multiprocessing as theirs  # type: ignore[import-not-found, unused-ignore]

import lightwork.multiprocessing as ours
from lightwork.multiprocessing.pool import Pool, ThreadPool

_THREADS: Any = ours.get_context("threads")
_STANDARD = multiprocessing.get_context("forkserver")


class Child:
    """What the tests ask of a process of a pool."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def is_alive(self) -> bool:
        """Whether it was there a moment ago."""
        return True


class JudgedPool(Pool):
    """Pool with the private names of the standard library's."""

    @property
    def _pool(self) -> list[Child]:
        self._repopulate_pool()
        executor: Any = self._executor
        return [Child(child.pid) for child in executor._pool._children]

    def _repopulate_pool(self) -> None:
        """Start what is missing; ours come with the first calls."""
        self._executor.start()


class JudgedThreadPool(ThreadPool):
    """The same for threads."""

    @property
    def _pool(self) -> list[None]:
        return [None] * self._processes


class OurMultiprocessing:
    """The module `multiprocessing`, with what we have under its names."""

    Process = ours.Process
    Pool = JudgedPool
    cpu_count = staticmethod(ours.cpu_count)

    def __getattr__(self, name: str) -> Any:
        return getattr(multiprocessing, name)


class Processes(theirs.ProcessesMixin):  # type: ignore[misc]
    """What tests of processes use."""

    Process = ours.Process
    current_process = staticmethod(ours.current_process)
    parent_process = staticmethod(ours.parent_process)
    active_children = staticmethod(ours.active_children)
    Pool = JudgedPool
    Pipe = staticmethod(ours.Pipe)
    Queue = staticmethod(_STANDARD.Queue)
    Event = staticmethod(_STANDARD.Event)


class Threads(theirs.ThreadsMixin):  # type: ignore[misc]
    """What tests of threads use."""

    Process = _THREADS.Process
    current_process = staticmethod(_THREADS.current_process)
    active_children = staticmethod(_THREADS.active_children)
    Pool = JudgedThreadPool
    Pipe = staticmethod(_THREADS.Pipe)
    Queue = staticmethod(_THREADS.Queue)
    JoinableQueue = staticmethod(_THREADS.JoinableQueue)
    Lock = staticmethod(_THREADS.Lock)
    RLock = staticmethod(_THREADS.RLock)
    Semaphore = staticmethod(_THREADS.Semaphore)
    BoundedSemaphore = staticmethod(_THREADS.BoundedSemaphore)
    Condition = staticmethod(_THREADS.Condition)
    Event = staticmethod(_THREADS.Event)
    Barrier = staticmethod(_THREADS.Barrier)


KINDS: Final = {
    "processes": (
        Processes,
        (
            *("_TestProcess", "_TestSubclassingProcess"),
            *("_TestPool", "_TestPoolWorkerErrors", "_TestPoolWorkerLifetime"),
            *("_TestConnection", "_TestPoll"),
        ),
    ),
    "threads": (
        Threads,
        (
            *("_TestProcess", "_TestPool", "_TestConnection", "_TestPoll"),
            *("_TestQueue", "_TestLock", "_TestSemaphore", "_TestCondition", "_TestEvent"),
            "_TestBarrier",
        ),
    ),
}


def _made(kind: str, name: str, mixin: type[Any]) -> type[unittest.TestCase]:
    """Return a class of tests with ours mixed in, where processes that it starts find it."""
    made = type(f"{kind}{name}", (getattr(theirs, name), mixin, unittest.TestCase), {})
    made.__module__ = __name__
    globals()[made.__name__] = made
    return made


CASES: Final = {
    (kind, name): _made(kind, name, mixin)
    for kind, (mixin, names) in KINDS.items()
    for name in names
}
theirs.ProcessesMixin = Processes
theirs.multiprocessing = OurMultiprocessing()
