"""Contexts: the same names for processes, for threads, and for workers that share a store.

    get_context()              processes of this machine, made by the fork server
    get_context("spawn")       the same, each with an interpreter of its own; likewise "fork"
    get_context("threads")     threads of this program
    get_context(url)           jobs, on whatever workers serve that store or server

A context is one program's choice, said once: a program that takes its names from one runs at every
reach with that one word changed.
"""

import abc
import functools
import multiprocessing
import threading
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from lightwork.errors import UsageError
from lightwork.multiprocessing import start_methods, thread_process
from lightwork.multiprocessing.manager import Manager, ThreadManager
from lightwork.multiprocessing.primitives import Primitives
from lightwork.multiprocessing.process import OF_METHOD, Process
from lightwork.multiprocessing.timeouts import TimeoutError as NotInTime
from lightwork.pool.executor.cpus import usable_cpus

if TYPE_CHECKING:
    from lightwork.multiprocessing.pool import Pool


class Context(Primitives, abc.ABC):
    """What every context has; see `multiprocessing.get_context`."""

    __module__ = "lightwork.multiprocessing"

    ProcessError = multiprocessing.ProcessError
    TimeoutError = NotInTime
    AuthenticationError = multiprocessing.AuthenticationError
    BufferTooShort = multiprocessing.BufferTooShort

    # The class of its processes, which a program may derive from.
    Process: type[Any]

    @abc.abstractmethod
    def Pool(
        self,
        processes: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
        maxtasksperchild: int | None = None,
    ) -> "Pool":
        """Return a pool; see Pool, ThreadPool and JobPool."""

    @abc.abstractmethod
    def Manager(self) -> Any:
        """Return a manager."""

    def close(self) -> None:
        """Let go of the store of a URL; other contexts have nothing to let go of. Idempotent."""

    @staticmethod
    def cpu_count() -> int:
        """Return how many CPUs this process may use, by its affinity and its control groups."""
        return usable_cpus()

    @staticmethod
    def Pipe(duplex: bool = True) -> tuple[Any, Any]:
        """Return the two ends of the standard library's pipe."""
        return multiprocessing.Pipe(duplex)

    def get_context(self, method: str | None = None, *, authkey: bytes = b"") -> "Context":
        """Return another context, or this one; see the module's."""
        return self if method is None else get_context(method, authkey=authkey)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.where}>"


class ProcessContext(Context):
    """Processes of this machine.

    Args:
        method: How they are made; None: as `set_start_method` says, also later.
    """

    __module__ = "lightwork.multiprocessing"

    where = "processes"
    current_process = staticmethod(multiprocessing.current_process)
    parent_process = staticmethod(multiprocessing.parent_process)
    active_children = staticmethod(multiprocessing.active_children)

    def __init__(self, method: str | None = None) -> None:
        self._method = method
        self.Process: type[Process] = OF_METHOD[method] if method else Process

    def get_start_method(self, allow_none: bool = False) -> str | None:
        """Return how processes are made: "forkserver", "spawn" or "fork"."""
        chosen = self._method or start_methods.chosen()
        return chosen if chosen or allow_none else start_methods.DEFAULT

    def set_start_method(self, method: str | None, force: bool = False) -> None:
        """Say once how processes are made from here on, also by those.

        Raises:
            RuntimeError: It was said before, and not with `force`.
            ValueError: There is no such way, or this context has one of its own.
        """
        if self._method:
            raise UsageError("cannot set start method of concrete context")
        if start_methods.chosen() and not force:
            raise RuntimeError("context has already been set")
        start_methods.choose(method)

    @staticmethod
    def get_all_start_methods() -> list[str]:
        """Return the ways in which processes can be made, the default one first."""
        return [*start_methods.METHODS]

    @staticmethod
    def freeze_support() -> None:
        """Do nothing: only a frozen program of another system than Linux needs it."""

    def Pool(
        self,
        processes: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
        maxtasksperchild: int | None = None,
    ) -> "Pool":
        """Return a pool of processes; see Pool."""
        # 50 ms to import, which a child does for every process that it is.
        from lightwork.multiprocessing.pool import Pool  # noqa: PLC0415 - see above

        return Pool(processes, initializer, initargs, maxtasksperchild)

    def Manager(self) -> Any:
        """Return the standard library's manager, whose objects live in a process of their own."""
        return self._standard().Manager()

    RawValue = staticmethod(multiprocessing.RawValue)
    RawArray = staticmethod(multiprocessing.RawArray)

    def _standard(self) -> Any:
        # Of a start method whose objects have names: those of `fork` cannot be sent anywhere.
        is_spawn = self.get_start_method() == "spawn"
        return multiprocessing.get_context("spawn" if is_spawn else "forkserver")


class ThreadContext(Context):
    """Threads of this program."""

    __module__ = "lightwork.multiprocessing"

    where = "threads"
    Process = thread_process.ThreadProcess
    current_process = staticmethod(threading.current_thread)
    parent_process = staticmethod(thread_process.parent_process)
    active_children = staticmethod(thread_process.active_children)

    @staticmethod
    def Pipe(duplex: bool = True) -> tuple[Any, Any]:
        """Return the two ends of the standard library's pipe between threads: nothing is copied."""
        from multiprocessing.dummy import Pipe  # noqa: PLC0415 - most programs have no such pipe

        ends: tuple[Any, Any] = Pipe(duplex)
        return ends

    def Pool(
        self,
        processes: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
        maxtasksperchild: int | None = None,  # noqa: ARG002 - a thread lives as long as its pool
    ) -> "Pool":
        """Return a pool of threads; see ThreadPool."""
        from lightwork.multiprocessing.pool import ThreadPool  # noqa: PLC0415 - as above

        return ThreadPool(processes, initializer, initargs)

    def Manager(self) -> Manager:
        """Return what makes plain lists and dicts, which threads share as they are."""
        return ThreadManager(self)


def get_context(method: str | None = None, *, authkey: bytes = b"") -> Context:
    """Return a context: the standard names, at one reach.

    Args:
        method: "processes", the default; "threads"; "forkserver", "spawn" or "fork" for processes that
            are made so; or the URL of a store or server.
        authkey: Of a URL; default: LIGHTWORK_AUTHKEY.

    Raises:
        UsageError: There is no such context.
    """
    if method is not None and "://" in method:
        return _of_store(method, authkey)
    if authkey:
        raise UsageError("authkey belongs to the URL of a store or server")
    found = _CONTEXTS.get(method or "processes")
    if found is None:
        expected = ", ".join(map(repr, _CONTEXTS))
        raise UsageError(f"expected {expected} or the URL of a store; seen: {method!r}")
    return found


@functools.cache
def _of_store(url: str, authkey: bytes) -> Context:
    # SQLAlchemy takes half a second to import, and a program without a store never needs it.
    opened: Context = import_module("lightwork.multiprocessing.jobs.context").JobContext(
        url, authkey=authkey
    )
    return opened


_CONTEXTS: Final[dict[str, Context]] = {
    "processes": ProcessContext(),
    "threads": ThreadContext(),
    **{method: ProcessContext(method) for method in start_methods.METHODS},
}
