"""Process state: what a call changed of its whole process, undone before the next call.

A child runs the calls of many, and a call that goes into a folder, ignores a signal
or sets an alarm means itself. Looking at all that after each call would cost more
than a short call takes, so the functions of `os` and `signal` that change it are
replaced in children by ones that write down what was there before:

    the folder            os.chdir, os.fchdir
    the mode of new files os.umask
    signals               signal.signal, signal.pthread_sigmask
    alarms                signal.alarm, signal.setitimer

What was changed outside of calls stays: by the initializer, and by what a module
does while it is imported for a call. Nobody undoes, because modules set it for good
when they are first used: os.environ, sys.path, warnings, locale, random's state,
limits of resources. Nor what C code changes without asking Python. Calls of
coroutine functions share their process anyway and are not undone one by one.

Imports next to nothing: every child begins with it.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Final

# What undoes each change, by what was changed; empty nearly always, and then the
# question whether it is costs 20 ns.
changed: Final[dict[object, Callable[[], object]]] = {}

_TIMERS: Final = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
# Where else the functions of os may be found; only so can they still be pickled.
_POSIX: Final = sys.modules["posix"]

# The system's own functions.
_chdir, _umask, _handle = os.chdir, os.umask, signal.signal
_mask, _set_timer = signal.pthread_sigmask, signal.setitimer


def watch_changes() -> None:
    """Write down from now on what is changed; call before any code of the user is loaded."""
    for name in ("chdir", "fchdir"):
        _replace(name, _notes_folder(getattr(os, name)))
    _replace("umask", _new_umask)
    signal.signal = _new_signal
    signal.pthread_sigmask = _new_mask
    signal.setitimer = _notes_timer(signal.setitimer)
    signal.alarm = _notes_timer(signal.alarm)


def undo() -> None:
    """Undo what was written down."""
    while changed:
        _, undo_one = changed.popitem()
        # The folder may be gone, and a thread that a call left may change things meanwhile.
        with contextlib.suppress(OSError, ValueError):
            undo_one()


def _replace(name: str, function: Callable[..., Any]) -> None:
    setattr(os, name, function)
    setattr(_POSIX, name, function)


def _notes_folder(function: Callable[..., None]) -> Callable[..., None]:
    @wraps(function)
    def change(*args: Any, **kwargs: Any) -> None:
        if "folder" not in changed:
            # A folder that is gone has no name to come back to.
            with contextlib.suppress(OSError):
                changed["folder"] = partial(_chdir, os.getcwd())  # noqa: PTH109 - pathlib: 20 ms
        function(*args, **kwargs)

    return change


@wraps(os.umask)
def _new_umask(mask: int, /) -> int:
    before = _umask(mask)
    changed.setdefault("umask", partial(_umask, before))
    return before


@wraps(signal.signal)
def _new_signal(signalnum: Any, *function: Any, **named: Any) -> Any:
    before = _handle(signalnum, *function, **named)
    # None: what was there was set by C code and cannot be named.
    if before is not None:
        changed.setdefault(int(signalnum), partial(_handle, signalnum, before))
    return before


@wraps(signal.pthread_sigmask)
def _new_mask(how: Any, mask: Any) -> Any:
    before = _mask(how, mask)
    changed.setdefault("mask", partial(_mask, signal.SIG_SETMASK, before))
    return before


def _notes_timer(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def start(*args: Any) -> Any:
        changed["timers"] = _stop_timers
        return function(*args)

    return start


def _stop_timers() -> None:
    for timer in _TIMERS:
        _set_timer(timer, 0.0)
