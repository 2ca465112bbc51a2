"""Late errors: those that are errors of the standard library's pools as well.

What they derive from takes 30 ms to import, which no program pays that never sees one
of them. So nobody imports this file but errors.py, when one of these names is first asked for
there: `errors.WorkerLost` where one is made, rather than a name imported at the top.
"""

from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool

from lightwork.error_roots import Error, JobError


class JobCancelled(JobError, CancelledError):  # noqa: N818
    """The job was cancelled before it had a result."""

    __module__ = "lightwork"


class WorkerLost(Error, BrokenProcessPool):  # noqa: N818
    """The child that ran this call died; every other call is unharmed.

    Attributes:
        exitcode: As in multiprocessing: negative is a signal number.
        pid: The process that died.
        traceback: What Python ran when a fault (SIGSEGV, SIGABRT ...) killed it; else "".
        peak_memory: Bytes that it held at most while the job's attempt ran, or when it was killed for
            its memory; None: not known, as of calls that are no jobs.
    """

    __module__ = "lightwork"

    exitcode: int
    pid: int
    traceback: str = ""
    peak_memory: int | None = None


class PoolError(Error, BrokenProcessPool):
    """The pool cannot run calls: an initializer failed, or its dispatcher did."""

    __module__ = "lightwork"
