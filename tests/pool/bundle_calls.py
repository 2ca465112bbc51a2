"""Items of bundles in these tests; importable by children."""

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import calls


def note(path: str, text: object) -> None:
    """Append a line, whole, whoever else does the same."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, f"{text}\n".encode())
    os.close(fd)


def note_or_die(item: tuple[str, int, int]) -> int:
    path, n, deadly = item
    note(path, n)
    if n == deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def slowly_note_or_die(item: tuple[str, int, int]) -> int:
    # As long as items must take for a map to run them in bundles; nothing waits for it.
    time.sleep(0.0002)
    return note_or_die(item)


def open_or_wait(item: tuple[str, int, int, int]) -> int:
    """One item waits until a later one has opened its gate."""
    gate, n, waits, opens = item
    if n == opens:
        Path(gate).touch()
    if n == waits:
        calls.wait_for(gate)
    return n


def odd_one(n: int) -> Any:
    """Fail in every way that there is, now and then."""
    if n % 100 == 10:
        raise ValueError(n)
    if n % 100 == 20:
        raise SystemExit(n)
    if n % 100 == 30:
        return threading.Lock()
    if n % 100 == 40:
        raise calls.OddError(n, n)
    if n % 100 == 50:
        return bytes(50_000)
    if n % 100 == 60:
        return bytearray(200_000)
    if n % 100 == 70:
        raise ValueError("x" * 50_000)
    return n


class CannotBeLoaded:
    def __reduce__(self) -> tuple[Any, ...]:
        return calls.fail, ("this item cannot be loaded",)


def segfault_when_loaded() -> None:
    calls.segfault()


class KillsWhenLoaded:
    """A function that takes the child with it before any item begins."""

    def __reduce__(self) -> tuple[Any, ...]:
        return segfault_when_loaded, ()

    def __call__(self, n: int) -> int:
        return n


class CannotBePickled:
    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("this item cannot be pickled")


def kind(item: object) -> str:
    return type(item).__name__


def add(a: int, b: int) -> int:
    return a + b


def note_and_take_long(item: tuple[str, int]) -> int:
    path, n = item
    note(path, n)
    # What it works, so that a map can be closed long before its end; nothing waits for it.
    time.sleep(0.005)
    return n


class LoadedOnceOnly:
    """A value that raises while it is loaded."""

    def __reduce__(self) -> Any:
        return _refuse, ()


def _refuse() -> object:
    raise LookupError("this value cannot be loaded")


def one_cannot_be_loaded(n: int) -> object:
    return LoadedOnceOnly() if n == 300 else [n]


class LargeLoadedOnceOnly:
    """One whose pickle has no room on a board."""

    def __reduce__(self) -> Any:
        return _refuse, (), bytes(100_000)


def one_large_cannot_be_loaded(n: int) -> object:
    return LargeLoadedOnceOnly() if n == 100 else n


def interrupted_or_not(n: int) -> int:
    if n % 20 == 5:
        raise KeyboardInterrupt(n)
    return n
