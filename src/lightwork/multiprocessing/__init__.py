"""Multiprocessing: the standard library's names and meanings, on lightwork's pools and primitives.

    from lightwork import multiprocessing as mp

The names here are those of `get_context()`, which are processes of this machine; those of
`get_context("threads")` or `get_context(url)` mean the same elsewhere.
docs/multiprocessing.md shows each in its standard form beside ours.
"""

from multiprocessing import (
    AuthenticationError,
    BufferTooShort,
    ProcessError,
    active_children,
    current_process,
    parent_process,
)

from lightwork.multiprocessing.contexts import Context, ProcessContext, get_context
from lightwork.multiprocessing.process import Process
from lightwork.multiprocessing.timeouts import TimeoutError  # noqa: A004 - as there

_default = ProcessContext()

Array = _default.Array
Barrier = _default.Barrier
BoundedSemaphore = _default.BoundedSemaphore
Condition = _default.Condition
Event = _default.Event
JoinableQueue = _default.JoinableQueue
Lock = _default.Lock
Manager = _default.Manager
Pipe = _default.Pipe
Pool = _default.Pool
Queue = _default.Queue
RLock = _default.RLock
RawArray = _default.RawArray
RawValue = _default.RawValue
Semaphore = _default.Semaphore
SimpleQueue = _default.SimpleQueue
Value = _default.Value
cpu_count = _default.cpu_count
freeze_support = _default.freeze_support
get_all_start_methods = _default.get_all_start_methods
get_start_method = _default.get_start_method
set_start_method = _default.set_start_method

__all__ = [
    "Array",
    "AuthenticationError",
    "Barrier",
    "BoundedSemaphore",
    "BufferTooShort",
    "Condition",
    "Context",
    "Event",
    "JoinableQueue",
    "Lock",
    "Manager",
    "Pipe",
    "Pool",
    "Process",
    "ProcessError",
    "Queue",
    "RLock",
    "RawArray",
    "RawValue",
    "Semaphore",
    "SimpleQueue",
    "TimeoutError",
    "Value",
    "active_children",
    "cpu_count",
    "current_process",
    "freeze_support",
    "get_all_start_methods",
    "get_context",
    "get_start_method",
    "parent_process",
    "set_start_method",
]
