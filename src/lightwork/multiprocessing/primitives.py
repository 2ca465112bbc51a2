"""Primitives: the locks, queues and shared values of a context: lightwork's own, at its reach.

Each takes what the standard library's does, and `name=`: what two programs name alike is one thing.
Their modules are imported when one is made: a child that is a process needs none of them.
"""

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from lightwork.multiprocessing.queues import JoinableQueue, Queue, SimpleQueue
    from lightwork.sync.array import Array
    from lightwork.sync.barrier import Barrier
    from lightwork.sync.condition import AnyLock, Condition
    from lightwork.sync.event import Event
    from lightwork.sync.host import Host
    from lightwork.sync.lock import Lock, RLock
    from lightwork.sync.semaphore import BoundedSemaphore, Semaphore
    from lightwork.sync.value import Value

_MODULES: Final = {
    "Lock": "lightwork.sync.lock",
    "RLock": "lightwork.sync.lock",
    "Semaphore": "lightwork.sync.semaphore",
    "BoundedSemaphore": "lightwork.sync.semaphore",
    "Condition": "lightwork.sync.condition",
    "Event": "lightwork.sync.event",
    "Barrier": "lightwork.sync.barrier",
    "Value": "lightwork.sync.value",
    "Array": "lightwork.sync.array",
    "Dict": "lightwork.sync.mapping",
    "Queue": "lightwork.multiprocessing.queues",
    "JoinableQueue": "lightwork.multiprocessing.queues",
    "SimpleQueue": "lightwork.multiprocessing.queues",
}


class Primitives:
    """What a context makes them with."""

    # "processes", "threads", or the URL of a store or server.
    where: str

    def _host(self) -> "str | Host":
        """Return what they are opened with."""
        return self.where

    def make(self, kind: str, *args: Any, **options: Any) -> Any:
        """Return a primitive of this kind at the reach of this context."""
        return getattr(import_module(_MODULES[kind]), kind)(*args, where=self._host(), **options)

    def Lock(self, *, name: str = "") -> "Lock":
        """Return a lock; see `lightwork.Lock`."""
        made: Lock = self.make("Lock", name)
        return made

    def RLock(self, *, name: str = "") -> "RLock":
        """Return a lock that its owner may take again; see `lightwork.RLock`."""
        made: RLock = self.make("RLock", name)
        return made

    def Semaphore(self, value: int = 1, *, name: str = "") -> "Semaphore":
        """Return a semaphore; see `lightwork.Semaphore`."""
        made: Semaphore = self.make("Semaphore", value, name=name)
        return made

    def BoundedSemaphore(self, value: int = 1, *, name: str = "") -> "BoundedSemaphore":
        """Return one that refuses a release too many; see `lightwork.BoundedSemaphore`."""
        made: BoundedSemaphore = self.make("BoundedSemaphore", value, name=name)
        return made

    def Condition(self, lock: "AnyLock | None" = None, *, name: str = "") -> "Condition":
        """Return a condition; see `lightwork.Condition`."""
        made: Condition = self.make("Condition", lock, name=name)
        return made

    def Event(self, *, name: str = "") -> "Event":
        """Return an event; see `lightwork.Event`."""
        made: Event = self.make("Event", name=name)
        return made

    def Barrier(
        self,
        parties: int,
        action: Callable[[], object] | None = None,
        timeout: float | None = None,
        *,
        name: str = "",
    ) -> "Barrier":
        """Return a barrier; see `lightwork.Barrier`."""
        made: Barrier = self.make("Barrier", parties, action, timeout, name=name)
        return made

    def Queue(self, maxsize: int = 0, *, name: str = "") -> "Queue[Any]":
        """Return a queue; see `lightwork.Queue`."""
        made: Queue[Any] = self.make("Queue", maxsize, name=name)
        return made

    def JoinableQueue(self, maxsize: int = 0, *, name: str = "") -> "JoinableQueue[Any]":
        """Return a queue; every one can be joined."""
        made: JoinableQueue[Any] = self.make("JoinableQueue", maxsize, name=name)
        return made

    def SimpleQueue(self, *, name: str = "") -> "SimpleQueue[Any]":
        """Return a queue without a bound."""
        made: SimpleQueue[Any] = self.make("SimpleQueue", name=name)
        return made

    def Value(
        self, typecode_or_type: Any, *args: Any, lock: object = True, name: str = ""
    ) -> "Value":
        """Return a shared value; see `lightwork.Value`."""
        made: Value = self.make("Value", typecode_or_type, *args, lock=lock, name=name)
        return made

    def Array(
        self,
        typecode_or_type: Any,
        size_or_initializer: int | Iterable[Any],
        *,
        lock: object = True,
        name: str = "",
    ) -> "Array":
        """Return a shared array; see `lightwork.Array`."""
        made: Array = self.make(
            "Array", typecode_or_type, size_or_initializer, lock=lock, name=name
        )
        return made
