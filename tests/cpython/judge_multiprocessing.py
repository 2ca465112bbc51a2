"""Run CPython's own tests of multiprocessing against lightwork.multiprocessing.

    LIGHTWORK_START_METHOD=spawn python judge_multiprocessing.py KIND [CLASS ...]

A script for an interpreter that ships `test._test_multiprocessing` (3.13 and later installations do);
needs nothing but the standard library and lightwork on the path. Called by
test_judge_multiprocessing.py; prints unittest's report. What we do otherwise on purpose stands in
DEVIATIONS with its reason: such a test must fail, so that one that begins to pass is noticed.
"""

import multiprocessing
import os
import sys
import unittest
from typing import Final

import judged_multiprocessing as judged

import lightwork.multiprocessing

# By kind of context: class and method.
_POOL: Final = {
    "_TestPool.test_imap_handle_iterable_exception": "of an input that raises, all items before that"
    " give their results, whatever the chunk size",
}
DEVIATIONS: Final[dict[str, dict[str, str]]] = {
    "processes": {
        **_POOL,
        "_TestPool.test_traceback": "the cause of an error is of the same class as in"
        " concurrent.futures, with the same text",
        "_TestPoolWorkerErrors.test_unpickleable_result": "an error of pickling arrives as itself",
        "_TestQueue.test_queue_feeder_donot_stop_onexc": "put pickles, so that it raises where an item"
        " cannot be pickled",
        "_TestSemaphore.test_timeout": "a time-out without blocking is refused, as by threading.Semaphore",
        "_TestEvent.test_repr": "it shows itself as lightwork.Event",
    },
    "threads": _POOL,
    "managers": {},
}


def suite(kind: str, names: list[str]) -> unittest.TestSuite:
    """Return the tests of one kind of context; those that are listed are expected to fail."""
    tests = unittest.TestSuite()
    for (of, name), case in judged.CASES.items():
        if of != kind or (names and name not in names):
            continue
        for test in unittest.defaultTestLoader.loadTestsFromTestCase(case):
            method = test._testMethodName  # type: ignore[union-attr]
            if f"{name}.{method}" in DEVIATIONS[kind]:
                setattr(case, method, unittest.expectedFailure(getattr(case, method)))
            tests.addTest(test)
    return tests


def run(kind: str, names: list[str]) -> bool:
    """Run the tests of these classes, by default all; return whether all is as expected."""
    # Every process that the tests start would import what they need once more.
    method = os.environ.get("LIGHTWORK_START_METHOD", "forkserver")
    multiprocessing.set_start_method(method, force=True)
    lightwork.multiprocessing.set_start_method(method)
    multiprocessing.set_forkserver_preload([judged.__name__])
    outcome = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite(kind, names))
    return outcome.wasSuccessful()


if __name__ == "__main__":
    sys.exit(not run(sys.argv[1], sys.argv[2:]))
