"""Run CPython's own tests of concurrent.futures against lightwork's executors.

A script for an interpreter that ships `test.test_concurrent_futures` (3.13 and
later installations do); needs nothing but the standard library and lightwork on
the path. Called by test_judge.py; prints unittest's report.

The adapters below and in private_names.py give the suite the private names that it
looks at (`_processes`), so that it judges behaviour; where its tests name executors
and futures of the standard library themselves, ours are put in their place. What we
do otherwise on purpose stands in DEVIATIONS with its reason; everything else must
pass. The suites of others are judged in the same manner by tests/judges.
"""

import concurrent.futures
import sys
import unittest
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from private_names import JudgedProcessExecutor
from test.test_concurrent_futures import (  # type: ignore[import-not-found, unused-ignore]
    executor,
    test_as_completed,
    test_deadlock,
    test_future,
    test_init,
    test_process_pool,
    test_shutdown,
    test_thread_pool,
    test_wait,
    util,
)

from lightwork.pool.call.future import Future
from lightwork.pool.thread.executor import ThreadExecutor
from lightwork.pool.thread.interpreter import InterpreterExecutor

DEVIATIONS = {
    "Process": {
        "test_killed_child": "a killed child costs its call; the pool goes on",
        "test_error_at_task_unpickle": "an error costs its call and arrives as itself",
        "test_exit_at_task_unpickle": "an error costs its call and arrives as itself",
        "test_error_during_result_unpickle_in_result_handler": "the same for a result",
        "test_exit_during_result_unpickle_in_result_handler": "the same for a result",
        "test_cancel_futures": "calls that were sent ahead and not begun are cancelled too",
        "test_saturation": "calls that cannot be pickled start no child",
        "test_processes_terminate": "calls that cannot be pickled start no child",
        "test_python_finalization_error": "mocks the thread that the standard library starts",
        "test_max_tasks_per_child_defaults_to_spawn_context": "there is one start method",
        # No test, but a check within one: see FailingInitializer.
        "test_initializer, _assert_logged": "a child logs nothing: every future's error says it",
    },
    "Thread": {
        "test_thread_names_default": "threads are called lightwork-thread-N",
        "test_repr": "a future says what it is of",
        "test_multiple_set_exception": "the same: compares the text of the error, repr and all",
        "test_multiple_set_result": "the same",
    },
    "Interpreter": {
        "test_cancel_futures": "expects that calls have begun, while interpreters still start",
    },
    "Dask": {
        "test_cancel_futures": "what was not sent yet is cancelled, too, which is all of it",
        "test_interpreter_shutdown": "what a call prints goes where its Dask worker prints",
        "test_hang_gh83386": "the same",
    },
    "Http": {
        "test_map_exception": "the error of a job is JobFailed, with what it raised as its cause",
        "test_hang_gh83386": "shutdown(wait=False) leaves jobs in the store, for whoever works there",
    },
}
# Whose deviations are run as well. Of the others some would wait without end.
KEPT_UP = {"Http"}


class OurFutures:
    """The module `concurrent.futures`, with our executors under the names of its own."""

    ThreadPoolExecutor = ThreadExecutor

    class ProcessPoolExecutor(JudgedProcessExecutor):
        """Another class than that of the adapters: the suite skips a test for this one."""

    def __getattr__(self, name: str) -> Any:
        return getattr(concurrent.futures, name)


test_shutdown.futures = test_thread_pool.futures = OurFutures()


def put_our_futures_in() -> None:
    """Let tests that make futures, or look at those of util.py, have ours."""
    util.Future = test_future.Future = Future
    for name, theirs in [*vars(util).items()]:
        if name.endswith("_FUTURE"):
            ours = util.create_future(theirs._state, theirs._exception, theirs._result)
            for module in (util, test_future, test_wait, test_as_completed):
                if hasattr(module, name):
                    setattr(module, name, ours)


put_our_futures_in()


class ProcessMixin(util.ExecutorMixin):  # type: ignore[misc]
    executor_type = JudgedProcessExecutor
    ctx = "forkserver"


class ThreadMixin(util.ExecutorMixin):  # type: ignore[misc]
    executor_type = ThreadExecutor


class InterpreterMixin(util.ExecutorMixin):  # type: ignore[misc]
    executor_type = InterpreterExecutor


class DaskMixin(util.ExecutorMixin):  # type: ignore[misc]
    def executor_type(self, *args: Any, **kwargs: Any) -> Any:
        """Make one; Dask is imported for the tests that need it."""
        from judged_dask import JudgedDaskExecutor

        return JudgedDaskExecutor(*args, **kwargs)

    executor_type.__name__ = "JudgedDaskExecutor"


class HttpMixin(util.ExecutorMixin):  # type: ignore[misc]
    def executor_type(self, *args: Any, **kwargs: Any) -> Any:
        """Make one; what a store needs is imported for the tests that need it."""
        from judged_http import JudgedHttpExecutor

        return JudgedHttpExecutor(*args, **kwargs)

    executor_type.__name__ = "JudgedHttpExecutor"


class FailingInitializer(test_init.FailingInitializerMixin):  # type: ignore[misc]
    """The suite's own, less one check: ours says what failed in the error, not in a log."""

    def _assert_logged(self, msg: str) -> AbstractContextManager[None]:
        return nullcontext()


def run_in_child(*args: str, **environment: str) -> Any:
    """Let the scripts that the suite runs import our executors instead of its own."""
    *flags, script = args
    for name, module in (
        ("JudgedProcessExecutor", "lightwork.pool.process.executor import ProcessExecutor"),
        ("InterpreterExecutor", "lightwork.pool.thread.interpreter import InterpreterExecutor"),
        ("ThreadExecutor", "lightwork.pool.thread.executor import ThreadExecutor"),
        ("ThreadPoolExecutor", "lightwork.pool.thread.executor import ThreadExecutor"),
        ("JudgedDaskExecutor", "judged_dask import JudgedDaskExecutor"),
        ("JudgedHttpExecutor", "judged_http import JudgedHttpExecutor"),
    ):
        script = script.replace(
            f"from concurrent.futures import {name}",
            f"import multiprocessing, sys; sys.path[:] = {sys.path!r}; from {module} as {name}",
        )
    return assert_python_ok(*flags, script, **environment)


class FailingInitializerTest(FailingInitializer, ProcessMixin, util.BaseTestCase):  # type: ignore[misc]
    """What test_init runs by itself, to look for what is left."""


test_init.ProcessPoolSpawnFailingInitializerTest = FailingInitializerTest
test_init.ProcessPoolForkserverFailingInitializerTest = FailingInitializerTest

assert_python_ok = test_shutdown.assert_python_ok
test_shutdown.assert_python_ok = run_in_child

SHARED = {
    "Executor": executor.ExecutorTest,
    "Wait": test_wait.WaitTests,
    "AsCompleted": test_as_completed.AsCompletedTests,
}
OWN = {
    "Process": {
        "Pool": test_process_pool.ProcessPoolExecutorTest,
        "Shutdown": test_shutdown.ProcessPoolShutdownTest,
        "Deadlock": test_deadlock.ExecutorDeadlockTest,
        "Initializer": test_init.InitializerMixin,
        "FailingInitializer": FailingInitializer,
    },
    "Thread": {
        "Pool": test_thread_pool.ThreadPoolExecutorTest,
        "Shutdown": test_shutdown.ThreadPoolShutdownTest,
        "Initializer": test_init.InitializerMixin,
        "FailingInitializer": test_init.FailingInitializerMixin,
    },
    # What the suite's other tests submit cannot leave its process.
    "Interpreter": {
        "Shutdown": test_shutdown.ExecutorShutdownTest,
        "FailingInitializer": test_init.FailingInitializerMixin,
    },
    "Dask": {
        "Shutdown": test_shutdown.ExecutorShutdownTest,
        "Initializer": test_init.InitializerMixin,
        "FailingInitializer": FailingInitializer,
    },
    # Workers of a store have no initializer.
    "Http": {"Shutdown": test_shutdown.ExecutorShutdownTest},
}
# Tests that need no executor of ours, or make their own.
ALONE = {
    "Process": [test_init.FailingInitializerResourcesTest],
    "Thread": [test_future.FutureTests],
    "Interpreter": [],
    "Dask": [],
    "Http": [],
}
MIXINS = {
    "Process": ProcessMixin,
    "Thread": ThreadMixin,
    "Interpreter": InterpreterMixin,
    "Dask": DaskMixin,
    "Http": HttpMixin,
}


def suite(kind: str, part: str = "") -> unittest.TestSuite:
    """Return all tests for one kind of executor, less the deviations; where these are kept up, they must fail."""
    tests = unittest.TestSuite()
    cases = [
        type(f"{kind}{name}", (base, MIXINS[kind], util.BaseTestCase), {})
        for name, base in {**SHARED, **OWN[kind]}.items()
        if part in ("", name)
    ]
    for case in [*cases, *ALONE[kind]]:
        for test in unittest.defaultTestLoader.loadTestsFromTestCase(case):
            deviates = test._testMethodName in DEVIATIONS[kind]  # type: ignore[union-attr]
            if deviates and kind in KEPT_UP:
                # One that begins to pass is no deviation any more, and fails the run.
                test.__unittest_expecting_failure__ = True  # type: ignore[union-attr]
            if not deviates or kind in KEPT_UP:
                tests.addTest(test)
    return tests


def cluster_for(kind: str) -> AbstractContextManager[object]:
    """Return the cluster that executors of this kind need."""
    if kind != "Dask":
        return nullcontext()
    from judged_dask import open_cluster

    cluster: AbstractContextManager[object] = open_cluster()
    return cluster


if __name__ == "__main__":
    with cluster_for(sys.argv[1]):
        outcome = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite(*sys.argv[1:]))
    sys.exit(not outcome.wasSuccessful())
