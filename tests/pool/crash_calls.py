"""Every way to go wrong, at every place where a call can; importable by children."""

import atexit
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import calls


def raise_error() -> NoReturn:
    raise ArithmeticError("here")


def raise_interrupt() -> NoReturn:
    raise KeyboardInterrupt


def raise_exit() -> NoReturn:
    raise SystemExit(5)


def leave() -> NoReturn:
    os._exit(6)


ACTS: dict[str, Callable[[], Any]] = {
    "error": raise_error,
    "unpicklable": calls.raise_unpicklable,
    "exit": raise_exit,
    "interrupt": raise_interrupt,
    "_exit": leave,
    "segfault": calls.segfault,
    "kill -9": calls.kill_myself,
    "abort": os.abort,
}


def act_or_double(item: Any) -> Any:
    """Double a number; a pair (where, what) goes wrong there, in that way."""
    if isinstance(item, int):
        return 2 * item
    where, what = item
    act = ACTS[what]
    if where == "running":
        return act()
    if where == "result pickled":
        return calls.FailsWhenPickled(act)
    return calls.FailsWhenLoaded(act)


class FailsWhenLoadedAsFunction:
    """A function that goes wrong before it can be called."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __call__(self, item: object) -> object:
        return item

    def __reduce__(self) -> tuple[Any, ...]:
        return ACTS[self.what], ()


def guilty_item(where: str, what: str) -> Any:
    """Return what makes `act_or_double` go wrong there, in that way."""
    if where == "argument pickled":
        return calls.FailsWhenPickled(ACTS[what])
    if where == "argument loaded":
        return calls.FailsWhenLoaded(ACTS[what])
    return where, what


# --- what happens to a child that runs no call


def act_at_exit(what: str, n: int) -> int:
    """Have it go wrong when the interpreter of this child ends."""
    atexit.register(ACTS[what])
    return 2 * n


def leave_thread(what: str, go: str) -> int:
    """Leave a thread that goes wrong when the file exists; return this process."""

    def wait_and_act() -> None:
        calls.wait_for(go)
        Path(f"{go}.seen").touch()
        ACTS[what]()

    threading.Thread(target=wait_and_act).start()
    return os.getpid()
