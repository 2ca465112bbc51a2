"""The watch over leftovers: what it is there for, it finds."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

import leftovers
from leftovers import no_leftovers


@contextmanager
def descriptor(folder: Path) -> Iterator[None]:
    fd = os.open(folder, os.O_RDONLY)
    yield
    os.close(fd)


@contextmanager
def thread(_: Path) -> Iterator[None]:
    leave = threading.Event()
    started = threading.Thread(target=leave.wait, name="left")
    started.start()
    yield
    leave.set()
    started.join()


@contextmanager
def child(_: Path) -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield
        process.communicate(b"\n")


LEFT: list[tuple[Callable[[Path], AbstractContextManager[None]], str]] = [
    (descriptor, "1 x descriptor /"),
    (thread, "thread left"),
    (child, "1 x child "),
]


@pytest.mark.parametrize(("left", "told"), LEFT)
def test_what_is_left_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    left: Callable[[Path], AbstractContextManager[None]],
    told: str,
) -> None:
    monkeypatch.setattr(leftovers, "_PATIENCE", 0.0)
    left_open = left(tmp_path)

    with pytest.raises(pytest.fail.Exception, match=told), no_leftovers():
        left_open.__enter__()

    left_open.__exit__(None, None, None)


def test_what_ends_by_itself_is_waited_for() -> None:
    with no_leftovers():
        threading.Thread(target=threading.Event().wait, args=(0.1,)).start()
