"""multiprocess's tests of Pool, which are those of multiprocessing, for lightwork.multiprocessing's."""

import multiprocess
import multiprocess.dummy
from private_names import JudgedPool, JudgedThreadPool

from lightwork.multiprocessing import TimeoutError  # noqa: A004 - theirs is of their own

FOLDER = "py3.{minor}"
FILES = [
    "multiprocess/tests/test_multiprocessing_forkserver/test_processes.py",
    "multiprocess/tests/test_multiprocessing_forkserver/test_threads.py",
]
# The rest looks at processes, locks and queues of its own modules; CPython's tests judge ours
# (tests/cpython/judge_multiprocessing.py).
ONLY = "TestPool"
LEFT_OUT: dict[str, str] = {}
DEVIATIONS = {
    "TestPool.test_imap_handle_iterable_exception": "of an input that raises, all items before that"
    " give their results, whatever the chunk size",
    "TestPool.test_traceback": "the cause of an error is of the same class as in concurrent.futures",
}


def adapt() -> None:
    """Put ours where the tests look."""
    multiprocess.TimeoutError = TimeoutError
    multiprocess.Pool = JudgedPool
    multiprocess.dummy.Pool = JudgedThreadPool
