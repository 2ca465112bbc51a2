"""lightwork: run Python functions on threads, processes and machines; lose nothing.

This file only names what is public. Each name is imported when it is first
used, so that `import lightwork` costs a few milliseconds and a child process
that needs one small module does not load a database library.
"""

from importlib import import_module

# Type checkers take this name for true. Not from `typing`, which costs ten times
# as much to import as all of this file.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from lightwork.durable.executor import DurableExecutor
    from lightwork.errors import (
        Error,
        FallbackWarning,
        JobCancelled,
        JobError,
        JobFailed,
        JobNotFound,
        LeaseLost,
        NoWorkerWarning,
        PayloadError,
        PoolError,
        RemoteError,
        SchemaMismatch,
        StoreError,
        StoreUnavailable,
        TaskNotFound,
        UsageError,
        WorkerLost,
    )
    from lightwork.executors import executor
    from lightwork.model import Backoff, Policy, Progress, State
    from lightwork.pool.command import Command
    from lightwork.pool.current import current
    from lightwork.pool.executor import Executor
    from lightwork.pool.future import Future
    from lightwork.pool.inline import InlineExecutor
    from lightwork.pool.interpreter import InterpreterExecutor
    from lightwork.pool.local import Local
    from lightwork.pool.output import OutputLine
    from lightwork.pool.process import ProcessExecutor
    from lightwork.pool.ref import Ref
    from lightwork.pool.results import Results
    from lightwork.pool.thread import ThreadExecutor
    from lightwork.store.reading import Attempt, Job
    from lightwork.tasks import Task, call, task
    from lightwork.work.service import Worker

__version__ = "0.1.0"

_PLACES = {
    "lightwork.durable.executor": ("DurableExecutor",),
    "lightwork.errors": (
        "Error",
        "FallbackWarning",
        "JobCancelled",
        "JobError",
        "JobFailed",
        "JobNotFound",
        "LeaseLost",
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
    ),
    "lightwork.executors": ("executor",),
    "lightwork.model": ("Backoff", "Policy", "Progress", "State"),
    "lightwork.pool.command": ("Command",),
    "lightwork.pool.current": ("current",),
    "lightwork.pool.executor": ("Executor",),
    "lightwork.pool.future": ("Future",),
    "lightwork.pool.inline": ("InlineExecutor",),
    "lightwork.pool.interpreter": ("InterpreterExecutor",),
    "lightwork.pool.local": ("Local",),
    "lightwork.pool.output": ("OutputLine",),
    "lightwork.pool.process": ("ProcessExecutor",),
    "lightwork.pool.ref": ("Ref",),
    "lightwork.pool.results": ("Results",),
    "lightwork.pool.thread": ("ThreadExecutor",),
    "lightwork.store.reading": ("Attempt", "Job"),
    "lightwork.tasks": ("Task", "call", "task"),
    "lightwork.work.service": ("Worker",),
}
_PLACE_OF = {name: place for place, names in _PLACES.items() for name in names}

__all__ = [
    "Attempt",
    "Backoff",
    "Command",
    "DurableExecutor",
    "Error",
    "Executor",
    "FallbackWarning",
    "Future",
    "InlineExecutor",
    "InterpreterExecutor",
    "Job",
    "JobCancelled",
    "JobError",
    "JobFailed",
    "JobNotFound",
    "LeaseLost",
    "Local",
    "NoWorkerWarning",
    "OutputLine",
    "PayloadError",
    "Policy",
    "PoolError",
    "ProcessExecutor",
    "Progress",
    "Ref",
    "RemoteError",
    "Results",
    "SchemaMismatch",
    "State",
    "StoreError",
    "StoreUnavailable",
    "Task",
    "TaskNotFound",
    "ThreadExecutor",
    "UsageError",
    "Worker",
    "WorkerLost",
    "call",
    "current",
    "executor",
    "task",
]


def __getattr__(name: str) -> object:
    place = _PLACE_OF.get(name)
    if place is None:
        raise AttributeError(f"module 'lightwork' has no attribute {name!r}")
    value: object = getattr(import_module(place), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
