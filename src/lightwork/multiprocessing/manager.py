"""Manager: what `Manager()` of a context returns where the standard library's would not reach.

Among processes of one machine it is the standard library's own: its lists, dicts and namespaces
live in a process of their own. Threads share plain objects, and workers elsewhere what a store keeps.
"""

import builtins
from types import SimpleNamespace
from typing import Any, Final, Never, Self

from lightwork.errors import UsageError
from lightwork.multiprocessing.primitives import Primitives

_OF_CONTEXT: Final = frozenset(
    {
        *("Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition", "Event", "Barrier"),
        *("Queue", "JoinableQueue", "Value", "Array", "Pool"),
    }
)


class Manager:
    """The primitives of a context under a manager's name; there is no process behind it."""

    __module__ = "lightwork.multiprocessing"

    def __init__(self, context: Primitives) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        if name not in _OF_CONTEXT:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self._context, name)

    def start(self) -> None:
        """Do nothing: what it makes needs no start."""

    def shutdown(self) -> None:
        """Do nothing: what it has made lives as long as somebody has it."""

    join = shutdown

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()


class ThreadManager(Manager):
    """That of threads, which share plain objects."""

    __module__ = "lightwork.multiprocessing"

    list = builtins.list
    dict = builtins.dict
    Namespace = SimpleNamespace


class JobManager(Manager):
    """That of a store or server: a dict is `lightwork.Dict` there."""

    __module__ = "lightwork.multiprocessing"

    def dict(self, *args: Any, **entries: Any) -> Any:
        """Return a dict that all share who have it, also as an argument of a task."""
        return self._context.make("Dict", builtins.dict(*args, **entries))

    def list(self, *_: object) -> Never:
        """Raise: a store keeps none."""
        raise UsageError("a store keeps no list that is shared; use a Queue, an Array or a dict")

    def Namespace(self, **_: object) -> Never:
        """Raise: a store keeps none."""
        raise UsageError("a store keeps no namespace that is shared; use a dict")
