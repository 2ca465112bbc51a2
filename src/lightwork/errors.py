"""Errors: every exception that lightwork raises on purpose.

Owns the tree below and nothing else. An error says whose act it was, what was
expected, what was seen and what to do; what a program may need to branch on is
an attribute, not only text. All of them pickle, because they cross processes.

    Error
    ├ UsageError          the caller's mistake; nothing was changed
    │ ├ TaskNotFound      the name is not that of a registered task
    │ └ PayloadError      a value cannot be stored, or stored bytes cannot be trusted
    ├ JobError            about one job
    │ ├ JobNotFound       no job has this id
    │ ├ JobFailed         the job ended as failed; text and traceback attached
    │ └ JobCancelled      the job was cancelled
    ├ LeaseLost           the attempt is no longer ours: stop, store nothing
    ├ WorkerLost          the child or machine died during the call
    ├ RemoteError         an exception of a child that could not travel itself
    ├ PoolError           the pool can take no more calls
    └ StoreError          about the database
      ├ StoreUnavailable  try again later
      └ SchemaMismatch    do not try again: upgrade the store or the program

Time-outs are the builtin TimeoutError. Two warnings stand beside them: FallbackWarning,
for what was asked and is not there, where something else does the same; and
NoWorkerWarning, for a result that nobody works on.
"""  # noqa: D214, D416 - the root of the tree is no section of the docstring

from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from typing import Any


class Error(Exception):
    """Base of all errors of lightwork.

    Keyword arguments become attributes and survive pickling.
    """

    def __init__(self, text: str, /, **attributes: Any) -> None:
        super().__init__(text)
        self.__dict__.update(attributes)


class UsageError(Error, ValueError):
    """The caller asked for something that cannot be done; nothing was changed."""


class TaskNotFound(UsageError):  # noqa: N818 - a public name of the contract
    """The name is not that of a task registered with this program or worker.

    No job ends by it: a worker claims only jobs of tasks that it knows, and the others
    stay ready for workers that know them.
    """

    name: str


class PayloadError(UsageError):
    """A value cannot be stored as asked, or stored bytes are not to be trusted."""


class JobError(Error):
    """Something about one job."""

    job_id: str


class JobNotFound(JobError, LookupError):  # noqa: N818
    """No job of this store has this id."""


class JobFailed(JobError):  # noqa: N818
    """The job ended as failed.

    The original exception is never rebuilt from stored text: its type name,
    text and traceback are attributes. Where a worker of this very program ran
    the job, it is the `__cause__`.
    """

    error_type: str
    error_text: str
    traceback: str
    attempts: int


class JobCancelled(JobError, CancelledError):  # noqa: N818
    """The job was cancelled before it had a result."""


class LeaseLost(Error):  # noqa: N818
    """The attempt is no longer ours: its lease ran out and it was rescued."""


class WorkerLost(Error, BrokenProcessPool):  # noqa: N818
    """The child that ran this call died; every other call is unharmed.

    Attributes:
        exitcode: As in multiprocessing: negative is a signal number.
        pid: The process that died.
        traceback: What Python ran when a fault (SIGSEGV, SIGABRT ...) killed it; else "".
    """

    exitcode: int
    pid: int
    traceback: str = ""


class RemoteError(Error):
    """Stands for an exception that could not be pickled or rebuilt.

    Attributes:
        error_type: Qualified name of the original class.
        error_text: Its text.
        traceback: Its formatted traceback.
    """

    error_type: str
    error_text: str
    traceback: str


class PoolError(Error, BrokenProcessPool):
    """The pool cannot run calls: an initializer failed, or its dispatcher did."""


class StoreError(Error):
    """The database refused or could not be reached."""


class StoreUnavailable(StoreError):  # noqa: N818
    """The database cannot be used right now; the same call may succeed later."""


class SchemaMismatch(StoreError):  # noqa: N818
    """The store's schema and this program do not fit; retrying cannot help."""


class FallbackWarning(RuntimeWarning):
    """What was asked for is not there, and something else that gives the same results is used."""


class NoWorkerWarning(RuntimeWarning):
    """A job is waited for that nobody will run as things are: no worker lives, serves or knows it.

    The job is kept, and runs as soon as there is such a worker.
    """
