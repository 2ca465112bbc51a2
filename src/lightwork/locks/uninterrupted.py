"""Uninterrupted: a few lines that a Ctrl-C does not cut in two.

Python runs what a program does on a signal in the main thread, between any two steps
of whatever that is doing; on SIGINT it raises KeyboardInterrupt there: in the middle of
tables, with a lock taken and not yet in a `with`. No order of statements is safe
against that everywhere, and what was half-done could only be guessed by others. So
where the main thread changes what other threads rely on, the interrupt is put off: the
function for SIGINT is replaced by one that takes a note, and called at the end if it
should have been.

Only for a few microseconds, never around code of the user or a wait: an interrupt must
be felt at once. Costs 1 us in the main thread, a look at a number in others, in
which no such function ever runs.
"""

import _signal  # type: ignore[import-not-found]
import os
import sys
import threading
from _thread import get_ident
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Final

# Not `signal.signal`: that turns numbers into enums and back, which costs five times as much.
_get_function: Final[Callable[[int], Any]] = _signal.getsignal
_set_function: Final[Callable[[int, Any], Any]] = _signal.signal
_SIGINT: Final = int(_signal.SIGINT)


class _Main:
    """The thread in which functions for signals run."""

    def __init__(self) -> None:
        self._look()
        os.register_at_fork(after_in_child=self._look)

    def _look(self) -> None:
        self.ident = threading.main_thread().ident
        self.pid = os.getpid()


_main = _Main()


def is_main_thread() -> bool:
    """Whether this is the thread in which functions for signals run."""
    return get_ident() == _main.ident


class Uninterrupted:
    """While this is entered, SIGINT waits. For one use; one inside of another is fine."""

    __slots__ = ("_act", "_is_due", "_pid")

    def __init__(self) -> None:
        self._act: Any = None
        self._is_due = False

    def __enter__(self) -> None:
        if get_ident() != _main.ident:
            return
        act = _get_function(_SIGINT)
        # Else nothing is raised: it is ignored, ends the process, or is not Python's.
        if callable(act):
            self._pid = _main.pid
            # Before it is replaced, a signal that came already raises here: nothing was begun.
            self._act = act
            try:
                _set_function(_SIGINT, self._note)
            except ValueError:  # The main thread of a sub-interpreter: no signal reaches it.
                self._act = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._act is not None:
            _set_function(_SIGINT, self._act)
            if self._is_due:
                self._act(_SIGINT, sys._getframe(1))

    def _note(self, number: int, frame: FrameType | None) -> None:
        if _main.pid == self._pid:
            self._is_due = True
        else:
            # In a process that another thread has forked meanwhile nobody will come to the end.
            self._act(number, frame)
