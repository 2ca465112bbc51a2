"""Run CPython's own tests of locks and queues against lightwork's, at one reach.

A script for an interpreter that ships `test.lock_tests` and `test.test_queue`; needs nothing but the standard
library and lightwork on the path. Called by test_judge_sync.py as `judge_sync.py WHERE [CLASS ...]`, without classes for
all of them; prints unittest's report.

What we do otherwise on purpose stands in DEVIATIONS with its reason. These tests are run, too: one that begins
to pass fails the run. `test_threading_local` judges nothing here: a thread's own state is `threading.local` itself.
"""

import os
import queue
import sys
import unittest
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

from test import lock_tests, test_queue  # type: ignore[import-not-found, unused-ignore]

import lightwork as lw

DEVIATIONS = {
    "LockTests.test_at_fork_reinit": "a forked child has fresh ones of itself",
    "EventTests.test_at_fork_reinit": "the same",
    "ConditionAsRLockTests.test_recursion_count": "no Condition has one, the standard library's neither",
    "QueueTests.test_shrinking_queue": "how many items it may have is agreed by all who share a queue",
}


def of(where: str, kind: str) -> Any:
    """Return what makes one there, called as the standard library's."""
    return staticmethod(partial(getattr(lw, kind), where=where))


def cases(where: str) -> list[type[unittest.TestCase]]:
    """Return the suite's classes, about ours."""
    ours = SimpleNamespace(
        Queue=partial(lw.Queue, where=where),
        Empty=queue.Empty,
        Full=queue.Full,
        ShutDown=lw.ShutDown,
    )
    attributes: dict[str, dict[str, Any]] = {
        "LockTests": {"locktype": of(where, "Lock")},
        "RLockTests": {"locktype": of(where, "RLock")},
        "EventTests": {"eventtype": of(where, "Event")},
        "ConditionTests": {"condtype": of(where, "Condition")},
        "SemaphoreTests": {"semtype": of(where, "Semaphore")},
        "BoundedSemaphoreTests": {"semtype": of(where, "BoundedSemaphore")},
        "BarrierTests": {"barriertype": of(where, "Barrier")},
    }
    return [
        *(
            type(name, (getattr(lock_tests, name),), members)
            for name, members in attributes.items()
        ),
        # A Condition is a reentrant lock, too.
        type(
            "ConditionAsRLockTests", (lock_tests.RLockTests,), {"locktype": of(where, "Condition")}
        ),
        type("QueueTests", (test_queue.QueueTest, unittest.TestCase), {"queue": ours}),
        type(
            "SimpleQueueTests",
            (FewerItems, test_queue.BaseSimpleQueueTest, unittest.TestCase),
            {"queue": ours, "type2test": of(where, "Queue"), "most": most_items(where)},
        ),
    ]


class FewerItems:
    """Between as many threads, but fewer items than 10,000: each is two commits where the queue is in a store."""

    most: int

    def run_threads(self, count: int, q: Any, inputs: list[int], *rest: Any) -> Any:
        """Shorten the list itself, which the test compares with what came out."""
        del inputs[self.most :]
        return super().run_threads(count, q, inputs, *rest)  # type: ignore[misc]


def most_items(where: str) -> int:
    """Return how many items go through a queue; `make judges` lets all of them."""
    is_short = "://" in where and os.environ.get("LIGHTWORK_JUDGES") != "all"
    return 1000 if is_short else sys.maxsize


def expected_to_fail(test: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return the same for one class alone: several may share the test."""

    @unittest.expectedFailure
    def run(self: Any) -> None:
        test(self)

    return run


def suite(where: str, chosen: list[str]) -> unittest.TestSuite:
    """Return the tests of these classes, or all; those of DEVIATIONS are expected to fail."""
    tests = unittest.TestSuite()
    known = {case.__name__: case for case in cases(where)}
    for case in [known[name] for name in chosen or known]:
        for name in unittest.defaultTestLoader.getTestCaseNames(case):
            if f"{case.__name__}.{name}" in DEVIATIONS:
                setattr(case, name, expected_to_fail(getattr(case, name)))
            tests.addTest(case(name))
    return tests


def warm_up(where: str) -> None:
    """Start all threads that a host has: some tests count those that there are."""
    lock = lw.Lock(where=where)
    with lock:
        # It looks, waits for word from the store, and takes the question back.
        assert not lock.acquire(timeout=0.05)


if __name__ == "__main__":
    # Some tests put what is no plain data, and count threads: a host may start some when it is opened.
    os.environ.setdefault("LIGHTWORK_AUTHKEY", "sixteen bytes, or more")
    warm_up(sys.argv[1])
    outcome = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(
        suite(sys.argv[1], sys.argv[2:])
    )
    sys.exit(not outcome.wasSuccessful())
