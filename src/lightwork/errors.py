"""Errors: every exception that lightwork raises on purpose.

Owns the tree below and nothing else. An error says whose act it was, what was
expected, what was seen and what to do; what a program may need to branch on is
an attribute, not only text. All of them pickle, because they cross processes.

    Error
    ├ UsageError          the caller's mistake; nothing was changed
    │ ├ TaskNotFound      the name is not that of a registered task
    │ ├ BadSchedule       it says no times at which a task could be due
    │ └ PayloadError      a value cannot be stored, or stored bytes cannot be trusted
    ├ JobError            about one job
    │ ├ DuplicateJob      another job holds the unique key
    │ ├ JobNotFound       no job has this id
    │ ├ JobFailed         the job ended as failed; text and traceback attached
    │ ├ JobCancelled      the job was cancelled
    │ └ DependencyFailed  the call was not run: one that it needs has failed
    ├ LeaseLost           the attempt is no longer ours: stop, store nothing
    │ └ LockLost          a lock is no longer ours: its session has ended
    ├ WorkerLost          the child or machine died during the call
    ├ RemoteError         an exception of a child that could not travel itself
    ├ PoolError           the pool can take no more calls
    └ StoreError          about the database, or the server before it
      ├ AuthError         the server and we do not trust each other: compare keys
      ├ StoreUnavailable  try again later
      └ SchemaMismatch    do not try again: upgrade the store or the program

Time-outs are the builtin TimeoutError. Two warnings stand beside them: FallbackWarning,
for what was asked and is not there, where something else does the same; and
NoWorkerWarning, for a result that nobody works on. `Later` (retry.py) is no error.
"""  # noqa: D214, D416 - the root of the tree is no section of the docstring

from lightwork.error_roots import Error, JobError

__all__ = [
    "AuthError",
    "BadSchedule",
    "DuplicateJob",
    "Error",
    "FallbackWarning",
    "IllegalStep",
    "JobCancelled",
    "JobError",
    "JobFailed",
    "JobNotFound",
    "LeaseLost",
    "LockLost",
    "NoWorkerWarning",
    "PayloadError",
    "PoolError",
    "RemoteError",
    "SchemaMismatch",
    "StoreError",
    "StoreUnavailable",
    "TaskNotFound",
    "UsageError",
    "WorkerLost",
]
# Type checkers take this name for true, as in the package's face.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from lightwork.late_errors import JobCancelled, PoolError, WorkerLost
else:

    def __getattr__(name: str) -> object:
        if name not in {"JobCancelled", "PoolError", "WorkerLost"}:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        # 30 ms for the classes that they derive from: only who names one of them needs it.
        from lightwork.imported_late import import_late  # noqa: PLC0415 - see above

        import_late("concurrent.futures.process")
        from lightwork import late_errors  # noqa: PLC0415 - see above

        value = globals()[name] = getattr(late_errors, name)
        return value


class UsageError(Error, ValueError):
    """The caller asked for something that cannot be done; nothing was changed."""

    __module__ = "lightwork"


class TaskNotFound(UsageError):  # noqa: N818 - a public name of the contract
    """The name is not that of a task registered with this program or worker.

    No job ends by it: a worker claims only jobs of tasks that it knows, and the others
    stay ready for workers that know them.
    """

    __module__ = "lightwork"

    name: str


class BadSchedule(UsageError):  # noqa: N818 - a public name of the contract
    """A schedule says no times, or not for a task that can be called so."""

    __module__ = "lightwork"


class PayloadError(UsageError):
    """A value cannot be stored as asked, or stored bytes are not to be trusted.

    Attributes:
        seen: Bytes of a payload that is larger than its store is set to take; 0: it is about something else.
        allowed: Bytes that it takes.
    """

    __module__ = "lightwork"

    seen: int = 0
    allowed: int = 0


class JobNotFound(JobError, LookupError):  # noqa: N818
    """No job of this store has this id."""

    __module__ = "lightwork"


class DuplicateJob(JobError):  # noqa: N818
    """A job of this unique key is there; nothing was kept. `job_id` is that job's."""

    __module__ = "lightwork"


class JobFailed(JobError):  # noqa: N818
    """The job ended as failed.

    The original exception is never rebuilt from stored text: its type name,
    text and traceback are attributes. Where a worker of this very program ran
    the job, it is the `__cause__`.
    """

    __module__ = "lightwork"

    error_type: str
    error_text: str
    traceback: str
    attempts: int


class DependencyFailed(JobError):  # noqa: N818
    """The call was not run, because one that it needs has failed.

    Along a chain all name the first one. Where that failed in this program, its exception is the
    `__cause__`.

    Attributes:
        job_id: The job that was not run; "" for a call that is no job, as below.
        parent_id: The job that failed.
        parent_task: Its task.
        error_type: Name of the class of its error.
        error_text: Its text.
    """

    __module__ = "lightwork"

    parent_id: str
    parent_task: str
    error_type: str
    error_text: str


class LeaseLost(Error):  # noqa: N818
    """The attempt is no longer ours: its lease ran out and it was rescued."""

    __module__ = "lightwork"


class LockLost(LeaseLost):
    """A lock or another grant is no longer ours: this process's session at its host has ended.

    Another may hold it since. What was written under it may have been written twice; a resource
    that checks the lock's `token` has refused the older one.
    """

    __module__ = "lightwork"


class RemoteError(Error):
    """Stands for an exception that could not be pickled or rebuilt.

    Attributes:
        error_type: Qualified name of the original class.
        error_text: Its text.
        traceback: Its formatted traceback.
    """

    __module__ = "lightwork"

    error_type: str
    error_text: str
    traceback: str


class StoreError(Error):
    """The database refused or could not be reached."""

    __module__ = "lightwork"


class AuthError(StoreError):
    """The server has not proved to be ours, or does not believe that we are its; or an answer is not its.

    The same call with the same keys will not do better, unless somebody on the way has changed
    an answer.
    """

    __module__ = "lightwork"


class StoreUnavailable(StoreError):  # noqa: N818
    """The database cannot be used right now; the same call may succeed later."""

    __module__ = "lightwork"


class SchemaMismatch(StoreError):  # noqa: N818
    """The store's schema and this program do not fit; retrying cannot help."""

    __module__ = "lightwork"


class IllegalStep(ValueError):  # noqa: N818 - an invariant of the program, not a user's error
    """A state change that a table of states does not know: a defect of lightwork."""


class FallbackWarning(RuntimeWarning):
    """What was asked for is not there, and something else that gives the same results is used."""

    __module__ = "lightwork"


class NoWorkerWarning(RuntimeWarning):
    """A job is waited for that nobody will run as things are: no worker lives, serves or knows it.

    The job is kept, and runs as soon as there is such a worker.
    """

    __module__ = "lightwork"
