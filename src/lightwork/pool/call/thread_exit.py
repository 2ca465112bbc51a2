"""Thread exit: what is to be called when a thread or a child comes to its normal end.

Whoever makes something that belongs to one thread says here how it is given
back; whoever runs the thread calls `run_endings` as its last act. A child has
one thread that runs calls, so its end is that thread's end.

A thread that no pool runs ends its things when Python drops what is local to
it (what an ending makes anew there is dropped unended), and the main thread does
at the interpreter's exit. A process that was forked
by user code ends nothing of its parent: those are the parent's connections.

An ending that fails is logged: there is nobody left to whom it could be raised.
"""

import atexit
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from threading import local
from typing import Any, Final

# An ending may make something new that must be ended too, and two may do so for
# each other without end. So often does POSIX look for more when a thread ends.
_ROUNDS: Final = 4


class _Endings:
    """What one thread has to call, in the order in which it was asked for."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self.calls: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def run(self) -> None:
        if self._pid != os.getpid():
            return
        for _ in range(_ROUNDS):
            calls, self.calls = self.calls, []
            # What was made last may use what was made before it.
            for function, args in reversed(calls):
                call_logged(function, args)

    def __del__(self, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        # At the interpreter's exit modules are half gone: hence the default, which is not.
        if self.calls and not is_finalizing():
            self.run()


class _Thread(local):
    """Local to a thread: dropped when the thread ends."""

    def __init__(self) -> None:
        self.endings = _Endings()


_thread = _Thread()


def at_end(function: Callable[..., object], *args: Any) -> None:
    """Have the function called when this thread, or the child that it is, ends."""
    _thread.endings.calls.append((function, args))


def run_endings() -> None:
    """Call what this thread has to call at its end, the last first."""
    _thread.endings.run()


def call_logged(function: Callable[..., object], args: tuple[Any, ...]) -> None:
    """Call the function; log whatever it raises."""
    try:
        function(*args)
    except BaseException as error:
        # SystemExit too: the end has come already, and others wait for their turn.
        with suppress(BaseException):
            _log_failure(function, error)


def _log_failure(function: Callable[..., object], error: BaseException) -> None:
    # 6 ms to import, which no child should pay at its start.
    import logging  # noqa: PLC0415 - see above

    name = getattr(function, "__qualname__", "") or repr(function)
    logging.getLogger(__name__).error("finalizer_failed function=%s", name, exc_info=error)


def _restart() -> None:
    global _thread  # noqa: PLW0603 - after a fork nothing here is ours
    _thread = _Thread()


os.register_at_fork(after_in_child=_restart)
atexit.register(run_endings)
