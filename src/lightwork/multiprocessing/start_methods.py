"""Start methods: how processes of this program are made, and which way is the default.

`forkserver`: a small process without threads forks them. The default, as in Python 3.14: a fork of
this program itself would copy whatever lock another of its threads holds just then, and a program
that uses lightwork has threads. `spawn` starts an interpreter for each. `fork` is there for who
asks for it, and is refused while the program has another thread.

What was chosen is kept in the standard library's own place for what children inherit: the
configuration of the process. So processes that a child makes are made in the same way.
"""

import threading
from importlib import import_module
from multiprocessing import process
from types import FunctionType
from typing import Any, Final

from lightwork.errors import UsageError
from lightwork.multiprocessing.carried import CarriedFunction, must_be_carried

DEFAULT: Final = "forkserver"
METHODS: Final = ("forkserver", "spawn", "fork")
_POPEN: Final = {
    "forkserver": "multiprocessing.popen_forkserver",
    "spawn": "multiprocessing.popen_spawn_posix",
    "fork": "multiprocessing.popen_fork",
}
_KEY: Final = "lightwork start method"


def chosen() -> str | None:
    """Return the start method that was chosen here or in a process above; None: none was."""
    method: str | None = _config(process.current_process()).get(_KEY)
    return method


def choose(method: str | None) -> None:
    """Let processes be made in this way from now on, also by those; None: as if none was chosen.

    Raises:
        UsageError: There is no such start method.
    """
    config = _config(process.current_process())
    if method is None:
        config.pop(_KEY, None)
    else:
        config[_KEY] = check_method(method)


def check_method(method: str) -> str:
    """Return the start method, or raise UsageError if there is none of this name."""
    if method not in METHODS:
        expected = ", ".join(METHODS)
        raise UsageError(f"expected one of the start methods {expected}; seen: {method!r}")
    return method


def launch(one: Any, method: str) -> Any:
    """Start the process of a Process, and return the standard library's handle on it.

    Raises:
        RuntimeError: It is to be forked, and this program has another thread.
    """
    _config(one)[_KEY] = method
    if method == "fork":
        _refuse_threads()
    elif isinstance(one._target, FunctionType) and must_be_carried(one._target):
        one._target = CarriedFunction(one._target)
    return import_module(_POPEN[method]).Popen(one)


def after_fork(one: Any) -> None:
    """Do in a child what its start method needs before anything runs."""
    # A spawned one has nothing of its parent that it should forget.
    if _config(one).get(_KEY) != "spawn":
        process.BaseProcess._after_fork()  # type: ignore[attr-defined]


def _refuse_threads() -> None:
    if (others := threading.active_count() - 1) > 0:
        raise RuntimeError(
            f"this program has {others} other threads, and a fork copies the locks that they hold, "
            'which nobody releases in the child; use the start method "forkserver" or "spawn"'
        )


def _config(one: Any) -> dict[str, Any]:
    config: dict[str, Any] = one._config
    return config
