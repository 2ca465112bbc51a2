"""What children run in these tests, importable by them; imports little."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from lightwork.pool.call.current import current


def double(n: int) -> int:
    return 2 * n


def pid(*_: object) -> int:
    return os.getpid()


def sleep(seconds: float, result: object = None) -> object:
    time.sleep(seconds)
    return result


def mark(path: str) -> None:
    """Leave a line that says: I ran."""
    with Path(path).open("a") as file:
        file.write(f"{os.getpid()}\n")


def append_line(path: str, text: str) -> None:
    with Path(path).open("a") as file:
        file.write(f"{text}\n")


def append_and_sleep(path: str, n: int, seconds: float) -> int:
    append_line(path, str(n))
    time.sleep(seconds)
    return n


def mark_and_sleep(path: str, seconds: float) -> None:
    mark(path)
    time.sleep(seconds)


def fork_and_sleep(path: str, seconds: float) -> None:
    """Leave a process behind that nobody kills with this one, and that holds all it has open."""
    if (pid := os.fork()) == 0:
        os.setsid()
        time.sleep(seconds)
        os._exit(0)
    with Path(path).open("a") as file:
        file.write(f"{pid}\n")
    time.sleep(seconds)


def wait_for(path: str, result: object = None) -> object:
    """Return when the file exists."""
    while not Path(path).exists():
        time.sleep(0.002)
    return result


def mark_and_wait_for(mark_path: str, path: str, result: object = None) -> object:
    mark(mark_path)
    return wait_for(path, result)


def blob_and_wait(size: int, path: str = "") -> bytes:
    """Return so many bytes, when the file exists if there is to be one."""
    if path:
        wait_for(path)
    return bytes(size)


def wait_until_cancelled() -> str:
    while not current().cancelled:
        time.sleep(0.002)
    return "stopped"


def mark_and_wait_until_cancelled(path: str) -> str:
    mark(path)
    return wait_until_cancelled()


def report(total: int) -> str:
    for done in range(1, total + 1):
        current().progress(done, total, f"step {done}")
    return current().worker


def blob(size: int) -> bytes:
    return bytes(size)


def length(data: bytes) -> int:
    return len(data)


def start_program(path: str) -> NoReturn:
    """Start a program, tell its process id, and run on."""
    program = subprocess.Popen(["sleep", "1000"])
    Path(path).write_text(f"{program.pid} {os.getpid()}")
    time.sleep(1000)
    raise AssertionError


def hold_memory(size: int) -> int:
    data = b"x" * size
    time.sleep(60)
    return len(data)


# --- ways to end


def exit_now(status: int = 3) -> NoReturn:
    os._exit(status)


def sys_exit() -> NoReturn:
    sys.exit(4)


def segfault() -> None:
    ctypes.string_at(0)


def raise_keyboard_interrupt() -> NoReturn:
    raise KeyboardInterrupt


def kill_myself(number: int = signal.SIGKILL) -> None:
    os.kill(os.getpid(), number)
    time.sleep(60)


def fail(text: str) -> NoReturn:
    raise ValueError(text)


class OddError(Exception):
    """Pickles well, and cannot be loaded: it says itself how, and forgets an argument."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")

    def __reduce__(self) -> tuple[Any, ...]:
        return OddError, self.args


def raise_odd() -> NoReturn:
    raise OddError(1, 2)


class UnpicklableError(Exception):
    def __init__(self) -> None:
        super().__init__("holds a lock")
        self.lock = threading.Lock()


def raise_unpicklable() -> NoReturn:
    raise UnpicklableError


def return_lock() -> object:
    return threading.Lock()


def raise_error(*_: object) -> NoReturn:
    raise ArithmeticError("at a border")


def raise_system_exit(*_: object) -> NoReturn:
    raise SystemExit(5)


def exit_status(*_: object) -> NoReturn:
    os._exit(6)


class FailsWhenPickled:
    """Runs a function when it is pickled; in the process `there`, if that is given."""

    def __init__(self, act: Callable[..., Any]) -> None:
        self.act = act

    def __reduce__(self) -> tuple[Any, ...]:
        self.act()
        return (object, ())


class FailsWhenLoaded:
    """Runs a function when it is loaded."""

    def __init__(self, act: Callable[..., Any]) -> None:
        self.act = act

    def __call__(self, *args: object) -> None:
        """Be a function, too."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (self.act, ())


def make_result_that_fails_when_pickled(act: Callable[..., Any]) -> object:
    return FailsWhenPickled(act)


def make_result_that_fails_when_loaded(act: Callable[..., Any]) -> object:
    return FailsWhenLoaded(act)


def nested(n: int) -> int:
    # Late: most children never need it.
    from lightwork.pool.process.executor import ProcessExecutor

    with ProcessExecutor(1) as inner:
        return inner.submit(double, n).result(timeout=30)


def set_up_badly() -> NoReturn:
    raise LookupError("no such thing")


GREETING = ""


def set_greeting(text: str) -> None:
    global GREETING  # noqa: PLW0603 - what an initializer does
    GREETING = text


def greeting() -> str:
    return GREETING
