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
    from lightwork.command.command import Command
    from lightwork.durable.executor import DurableExecutor
    from lightwork.errors import (
        AuthError,
        BadSchedule,
        DependencyFailed,
        DuplicateJob,
        Error,
        FallbackWarning,
        JobCancelled,
        JobError,
        JobFailed,
        JobNotFound,
        LeaseLost,
        LockLost,
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
    from lightwork.events.kinds import (
        Cancelled,
        Claimed,
        Failed,
        JobEvent,
        Lost,
        Progressed,
        Quarantined,
        Refused,
        Released,
        Rescued,
        Retried,
        Snoozed,
        Started,
        Submitted,
        Succeeded,
        WorkerEvent,
        WorkerLeaseLost,
        WorkerStarted,
        WorkerStopped,
        WorkerStopping,
    )
    from lightwork.executors import executor
    from lightwork.model import Backoff, Limit, Policy, Progress, Retention, State, Unique
    from lightwork.pool.call.current import current
    from lightwork.pool.call.future import Future
    from lightwork.pool.call.local import Local
    from lightwork.pool.executor.executor import Executor
    from lightwork.pool.executor.inline import InlineExecutor
    from lightwork.pool.link.output_reader import OutputLine
    from lightwork.pool.map.results import Results
    from lightwork.pool.process.executor import ProcessExecutor
    from lightwork.pool.thread.executor import ThreadExecutor
    from lightwork.pool.thread.interpreter import InterpreterExecutor
    from lightwork.pool.wire.ref import Ref
    from lightwork.retry import Later
    from lightwork.store.orm import Attempt, Job, WorkerRow
    from lightwork.sync.array import Array
    from lightwork.sync.barrier import Barrier
    from lightwork.sync.condition import Condition
    from lightwork.sync.event import Event
    from lightwork.sync.lock import Lock, RLock
    from lightwork.sync.mapping import Dict
    from lightwork.sync.queue import JoinableQueue, Queue, ShutDown, Unacked
    from lightwork.sync.semaphore import BoundedSemaphore, Semaphore
    from lightwork.sync.value import Value
    from lightwork.tasks.task import Task, call, task
    from lightwork.work.service import Worker

__version__ = "0.1.0"

_PLACES = {
    "lightwork.durable.executor": ("DurableExecutor",),
    "lightwork.errors": (
        "AuthError",
        "BadSchedule",
        "DependencyFailed",
        "DuplicateJob",
        "Error",
        "FallbackWarning",
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
    ),
    "lightwork.events.kinds": (
        "Cancelled",
        "Claimed",
        "Failed",
        "JobEvent",
        "Lost",
        "Progressed",
        "Quarantined",
        "Refused",
        "Released",
        "Rescued",
        "Retried",
        "Snoozed",
        "Started",
        "Submitted",
        "Succeeded",
        "WorkerEvent",
        "WorkerLeaseLost",
        "WorkerStarted",
        "WorkerStopped",
        "WorkerStopping",
    ),
    "lightwork.executors": ("executor",),
    "lightwork.model": ("Backoff", "Limit", "Policy", "Progress", "Retention", "State", "Unique"),
    "lightwork.command.command": ("Command",),
    "lightwork.pool.call.current": ("current",),
    "lightwork.pool.executor.executor": ("Executor",),
    "lightwork.pool.call.future": ("Future",),
    "lightwork.pool.executor.inline": ("InlineExecutor",),
    "lightwork.pool.thread.interpreter": ("InterpreterExecutor",),
    "lightwork.pool.call.local": ("Local",),
    "lightwork.pool.link.output_reader": ("OutputLine",),
    "lightwork.pool.process.executor": ("ProcessExecutor",),
    "lightwork.pool.wire.ref": ("Ref",),
    "lightwork.pool.map.results": ("Results",),
    "lightwork.pool.thread.executor": ("ThreadExecutor",),
    "lightwork.retry": ("Later",),
    "lightwork.store.orm": ("Attempt", "Job", "WorkerRow"),
    "lightwork.sync.array": ("Array",),
    "lightwork.sync.barrier": ("Barrier",),
    "lightwork.sync.condition": ("Condition",),
    "lightwork.sync.event": ("Event",),
    "lightwork.sync.lock": ("Lock", "RLock"),
    "lightwork.sync.mapping": ("Dict",),
    "lightwork.sync.queue": ("JoinableQueue", "Queue", "ShutDown", "Unacked"),
    "lightwork.sync.semaphore": ("BoundedSemaphore", "Semaphore"),
    "lightwork.sync.value": ("Value",),
    "lightwork.tasks.task": ("Task", "call", "task"),
    "lightwork.work.service": ("Worker",),
}
_PLACE_OF = {name: place for place, names in _PLACES.items() for name in names}

__all__ = [
    "Array",
    "Attempt",
    "AuthError",
    "Backoff",
    "BadSchedule",
    "Barrier",
    "BoundedSemaphore",
    "Cancelled",
    "Claimed",
    "Command",
    "Condition",
    "DependencyFailed",
    "Dict",
    "DuplicateJob",
    "DurableExecutor",
    "Error",
    "Event",
    "Executor",
    "Failed",
    "FallbackWarning",
    "Future",
    "InlineExecutor",
    "InterpreterExecutor",
    "Job",
    "JobCancelled",
    "JobError",
    "JobEvent",
    "JobFailed",
    "JobNotFound",
    "JoinableQueue",
    "Later",
    "LeaseLost",
    "Limit",
    "Local",
    "Lock",
    "LockLost",
    "Lost",
    "NoWorkerWarning",
    "OutputLine",
    "PayloadError",
    "Policy",
    "PoolError",
    "ProcessExecutor",
    "Progress",
    "Progressed",
    "Quarantined",
    "Queue",
    "RLock",
    "Ref",
    "Refused",
    "Released",
    "RemoteError",
    "Rescued",
    "Results",
    "Retention",
    "Retried",
    "SchemaMismatch",
    "Semaphore",
    "ShutDown",
    "Snoozed",
    "Started",
    "State",
    "StoreError",
    "StoreUnavailable",
    "Submitted",
    "Succeeded",
    "Task",
    "TaskNotFound",
    "ThreadExecutor",
    "Unacked",
    "Unique",
    "UsageError",
    "Value",
    "Worker",
    "WorkerEvent",
    "WorkerLeaseLost",
    "WorkerLost",
    "WorkerRow",
    "WorkerStarted",
    "WorkerStopped",
    "WorkerStopping",
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
