"""Tasks of these tests, which the workers' children import."""

import os
import signal
import sys
import time
from pathlib import Path

import lightwork as lw


@lw.task
def square(n: int) -> int:
    return n * n


@lw.task
def odd_fails(n: int) -> int:
    if n % 2:
        raise ValueError(n)
    return n


@lw.task
def leave(code: int | str | None) -> None:
    sys.exit(code)


@lw.task
def note_and_wait(path: str) -> None:
    """Say that it runs; then run until it is asked to end."""
    Path(path).write_text("running")
    while not lw.current().cancelled:
        time.sleep(0.01)


@lw.task(retries=0)
def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def plain(n: int) -> int:
    return n
