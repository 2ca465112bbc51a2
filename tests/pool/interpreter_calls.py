"""What runs in sub-interpreters in these tests, importable there."""

import sys
import threading
from importlib import import_module
from typing import Any

from lightwork.pool.call.current import current
from lightwork.pool.call.local import Local
from lightwork.pool.thread import interpreter_main

_here = threading.local()
_values: Local[list[int]] = Local(list)


def which(*_: object) -> int:
    """Return a number that tells this interpreter from others that live."""
    return id(sys.modules)


def count_here() -> int:
    """Return how often this was called in this thread."""
    _here.count = getattr(_here, "count", 0) + 1
    return int(_here.count)


def count_in_local() -> int:
    """Return the same, from what a Local holds."""
    _values.value.append(1)
    return len(_values.value)


def import_it(name: str) -> str:
    return import_module(name).__name__


def is_cancelled() -> bool:
    return current().cancelled


def report_in_a_thread(done: int) -> None:
    """Report progress from a thread that the call starts."""
    call = current()
    thread = threading.Thread(target=call.progress, args=(done,))
    thread.start()
    thread.join()


def break_the_loop() -> None:
    """Let the loop that runs the calls of this interpreter fail at its next turn."""
    broken: Any = None
    interpreter_main.read_frame = broken


def divide(n: int) -> float:
    return 1 / n
