"""Thread process: a thread with the face of a process, for `get_context("threads")`.

As in `multiprocessing.dummy`: `current_process` is the current thread, and children belong to the thread
that has started them. A thread cannot be killed, so terminate, kill and interrupt say that.
"""

import itertools
import os
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, Never

from lightwork.errors import UsageError
from lightwork.multiprocessing.ends import End

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_numbers = itertools.count(1)


class ThreadProcess(threading.Thread):
    """A function, or `run` of a subclass, in a thread; see `multiprocessing.Process`.

    Attributes:
        exitcode: None until it has ended; then 0, 1 if it raised, or what it gave to `sys.exit`.
    """

    exitcode: int | None = None

    def __init__(
        self,
        group: None = None,
        target: Callable[..., object] | None = None,
        name: str | None = None,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] = _NOTHING,
        *,
        daemon: bool | None = None,
    ) -> None:
        name = name or f"{type(self).__name__}-{next(_numbers)}"
        super().__init__(group, target, name, tuple(args), dict(kwargs), daemon=daemon)
        self._end = End()
        self._is_closed = False
        # As a thread does it, but for what becomes of an error.
        self._run = self.run
        self.run = self._run_to_end  # type: ignore[method-assign]

    def start(self) -> None:
        """Start it; it is a child of the current thread.

        Raises:
            RuntimeError: It was started before.
        """
        _children_of(threading.current_thread()).add(self)
        super().start()

    def _run_to_end(self) -> None:
        try:
            self._run()
            self.exitcode = 0
        except SystemExit as error:
            self.exitcode = _exit_status(error.code)
        except BaseException:
            self.exitcode = 1
            sys.stderr.write(f"Process {self.name}:\n{traceback.format_exc()}")
        finally:
            del self._run, self.run
            self._end.reach()

    def join(self, timeout: float | None = None) -> None:
        """Return when it has ended, or after so many seconds."""
        self._check_open()
        super().join(None if timeout is None else max(timeout, 0.0))

    def is_alive(self) -> bool:
        """Whether it was started and has not ended."""
        self._check_open()
        return super().is_alive()

    @property
    def pid(self) -> int | None:
        """Of the program that it is a part of; None until it is started."""
        return None if self.ident is None else os.getpid()

    @property
    def sentinel(self) -> int:
        """A descriptor that is readable when it has ended."""
        self._check_open()
        if self.ident is None:
            raise ValueError("process not started")
        return self._end.sentinel()

    def terminate(self) -> Never:
        """Raise: a thread cannot be ended from outside."""
        raise UsageError(
            f"{self.name} is a thread, which nobody can end from outside; let its function look at an "
            'Event now and then, or use get_context("processes")'
        )

    kill = interrupt = terminate

    def close(self) -> None:
        """Let it not be used any more.

        Raises:
            ValueError: It has not ended.
        """
        if not self._is_closed and super().is_alive():
            raise ValueError("Cannot close a process while it is still running.")
        self._is_closed = True

    def _check_open(self) -> None:
        if self._is_closed:
            raise ValueError("process object is closed")


def active_children() -> list[ThreadProcess]:
    """Return those that the current thread has started and that have not ended."""
    children = list(_children_of(threading.current_thread()))
    return [one for one in children if threading.Thread.is_alive(one)]


def parent_process() -> None:
    """Return None: all is one program."""


def _exit_status(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code
    sys.stderr.write(f"{code}\n")
    return 1


# By the thread that has started them; used by that thread alone. Those that run are kept by
# `threading`.
_children: Final[weakref.WeakKeyDictionary[threading.Thread, weakref.WeakSet[ThreadProcess]]] = (
    weakref.WeakKeyDictionary()
)


def _children_of(thread: threading.Thread) -> weakref.WeakSet[ThreadProcess]:
    return _children.setdefault(thread, weakref.WeakSet())
