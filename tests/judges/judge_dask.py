"""dask's tests of its threaded and its multiprocessing scheduler."""

from concurrent import futures
from contextvars import copy_context
from typing import Any

import dask.multiprocessing
import dask.threaded

from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor

FOLDER = "."
FILES = ["dask/tests/test_threaded.py", "dask/tests/test_multiprocessing.py"]
LEFT_OUT: dict[str, str] = {}
DEVIATIONS = {
    "test_custom_context_used_python3_posix": "children come from the fork server, never by fork",
}


class ContextAwareExecutor(ThreadExecutor):
    """What dask makes of the standard library's: calls see the context of their submit."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        context = copy_context()
        return super().submit(context.run, fn, *args, **kwargs)


def adapt() -> None:
    """Put ours where dask and its tests look."""
    futures.ThreadPoolExecutor = ThreadExecutor  # type: ignore[misc]
    futures.ProcessPoolExecutor = ProcessExecutor  # type: ignore[misc, assignment]
    dask.threaded.ContextAwareThreadPoolExecutor = ContextAwareExecutor
    dask.multiprocessing.ProcessPoolExecutor = ProcessExecutor
