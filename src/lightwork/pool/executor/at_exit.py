"""At exit: executors that nobody shut down are shut down when the interpreter ends.

Standard library meaning: what was submitted is run before the interpreter ends. Unless
that ends because of a Ctrl-C: then each is left as its `with` block would be.
This runs before threads are joined; a plain atexit function would run after that, too late
for threads that serve an executor.

Order: those that use executors of their own (durable ones, whose workers have pools) come
first. Modules are imported when they are needed, so when a kind was made says nothing.
"""

import sys
import threading
import weakref
from concurrent import futures
from contextlib import suppress
from typing import Any, Generic, TypeVar

E = TypeVar("E", bound=futures.Executor)


def come_first() -> None:
    """Finish executors before whatever else has asked for it so far, once more if need be.

    The hook of concurrent.futures.thread forbids calls on all threads: who imports that module
    says this after it.
    """
    # Too late: the main thread has ended, and what is made now is for its maker to shut down.
    with suppress(RuntimeError):
        threading._register_atexit(_finish_everything)  # type: ignore[attr-defined]


class OpenExecutors(Generic[E]):
    """Executors of one kind that are in use."""

    def __init__(self, *, use_others: bool = False) -> None:
        # Weak: an executor that nobody holds ends by itself. No WeakSet, which cannot
        # be walked through while another thread adds to it.
        self._executors: weakref.WeakValueDictionary[int, E] = weakref.WeakValueDictionary()
        _kinds.insert(0 if use_others else len(_kinds), self)
        come_first()

    def add(self, executor: E) -> None:
        """Shut this one down at the end, if it still exists then."""
        self._executors[id(executor)] = executor

    def remove(self, executor: E) -> None:
        """Forget one that was shut down."""
        self._executors.pop(id(executor), None)

    def all(self) -> list[E]:
        """Return those that still exist."""
        found = (reference() for reference in self._executors.valuerefs())
        return [executor for executor in found if executor is not None]

    def finish_all(self) -> None:
        """Shut down all that are left."""
        for executor in self.all():
            _finish(executor)


# In the order in which they are finished.
_kinds: "list[OpenExecutors[Any]]" = []


def _finish_everything() -> None:
    for kind in _kinds:
        kind.finish_all()


def _finish(executor: futures.Executor) -> None:
    if _was_interrupted():
        executor.__exit__(KeyboardInterrupt, None, None)
        return
    try:
        executor.shutdown(wait=True)
    except KeyboardInterrupt:
        executor.__exit__(KeyboardInterrupt, None, None)
        raise


def _was_interrupted() -> bool:
    """Whether the program ends with a KeyboardInterrupt that nobody has caught."""
    # What was printed last; at a prompt that may be long ago.
    last = getattr(sys, "last_type", None)
    return last is KeyboardInterrupt and not (sys.flags.interactive or hasattr(sys, "ps1"))
