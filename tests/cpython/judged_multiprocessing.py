"""Our processes, pools and primitives where CPython's tests of multiprocessing look for theirs.

Imported by the judge and by every process that its tests start (never run as a script, which each
of these would run again). Where the tests name the module `multiprocessing` themselves, ours is put in
its place.
"""

import multiprocessing
import multiprocessing.pool
import unittest
from contextlib import suppress
from typing import Any, Final

from private_names import JudgedPool, JudgedThreadPool
from test import _test_multiprocessing as theirs  # type: ignore[import-not-found, unused-ignore]

import lightwork.multiprocessing as ours
from lightwork.sync.condition import Condition

_THREADS: Any = ours.get_context("threads")
# What is compiled of the packages that the broker needs is of one Python; on others the tests of processes
# and pools have the standard library's queues and events.
HAS_BROKER = False
with suppress(ImportError):
    import lightwork.sync.broker.client  # noqa: F401 - whether it can be

    HAS_BROKER = True
_FOR_PROCESSES: Any = ours if HAS_BROKER else multiprocessing.get_context("forkserver")


def judged_condition(*args: Any) -> Any:
    """Return a condition that says, in the tests' own way, that it does not count who sleeps."""
    made: Any = ours.Condition(*args)
    made.__class__ = JudgedCondition
    return made


class JudgedCondition(Condition):
    """Condition with a private name of the standard library's, which it has not."""

    # Its public name is another's.
    __module__ = __name__

    @property
    def _sleeping_count(self) -> None:
        raise NotImplementedError


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
    Queue = staticmethod(_FOR_PROCESSES.Queue)
    Event = staticmethod(_FOR_PROCESSES.Event)
    JoinableQueue = staticmethod(ours.JoinableQueue)
    Lock = staticmethod(ours.Lock)
    RLock = staticmethod(ours.RLock)
    Semaphore = staticmethod(ours.Semaphore)
    BoundedSemaphore = staticmethod(ours.BoundedSemaphore)
    Condition = staticmethod(judged_condition)
    Barrier = staticmethod(ours.Barrier)
    Value = staticmethod(ours.Value)
    Array = staticmethod(ours.Array)


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


class Managers(theirs.ManagerMixin):  # type: ignore[misc]
    """What tests of managers use: their managers, our processes."""

    Process = ours.Process


_PRIMITIVES: Final = (
    *("_TestQueue", "_TestLock", "_TestSemaphore", "_TestCondition", "_TestEvent", "_TestBarrier"),
)
KINDS: Final = {
    "processes": (
        Processes,
        (
            *("_TestProcess", "_TestSubclassingProcess"),
            *("_TestPool", "_TestPoolWorkerErrors", "_TestPoolWorkerLifetime"),
            *("_TestConnection", "_TestPoll"),
            *((*_PRIMITIVES, "_TestValue", "_TestArray") if HAS_BROKER else ()),
        ),
    ),
    "threads": (
        Threads,
        ("_TestProcess", "_TestPool", "_TestConnection", "_TestPoll", *_PRIMITIVES),
    ),
    "managers": (Managers, ("_TestMyManager", "_TestRemoteManager", "_TestManagerRestart")),
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
