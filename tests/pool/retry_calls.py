"""What calls with retries run in these tests, importable by children."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import NoReturn

from lightwork.pool.call.current import current
from lightwork.retry import Later


class OddError(Exception):
    """An error that retry_on may name."""


class OddestError(OddError):
    """One of its kind."""


def mark(path: str) -> int:
    """Leave a line that says which attempt this is; return how many lines there are."""
    with Path(path).open("a") as file:
        file.write(f"{current().attempt}\n")
    return len(attempts(Path(path)))


def attempt() -> int:
    return current().attempt


def attempts(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def fail_until(path: str, last: int) -> int:
    """Raise until this is the attempt so numbered."""
    if (count := mark(path)) < last:
        raise OddestError(f"attempt {count}")
    return current().attempt


async def fail_until_async(path: str, last: int) -> int:
    await asyncio.sleep(0)
    return fail_until(path, last)


async def hang_async(path: str) -> None:
    mark(path)
    await asyncio.sleep(1000)


async def now_async() -> float:
    return time.monotonic()


def fail_until_many(path: str, last: int, data: bytes) -> int:
    fail_until(path, last)
    return sum(data[:: len(data) - 1])


def snooze_until(path: str, last: int) -> int:
    """Ask to be run later until this is the attempt so numbered."""
    if mark(path) < last:
        raise Later(0.01)
    return current().attempt


async def snooze_until_async(path: str, last: int) -> int:
    return snooze_until(path, last)


def snooze_for(seconds: float, path: str) -> float:
    """Ask once; return when it ran again."""
    if mark(path) == 1:
        raise Later(seconds)
    return time.monotonic()


def fail_for(path: str, item: int) -> int:
    """Raise once for every odd item."""
    if mark(f"{path}-{item}") == 1 and item % 2:
        raise OddError(item)
    return item


def hang_once(path: str) -> str:
    if mark(path) == 1:
        signal.pause()
    return "ran"


def die_once(path: str) -> str:
    if mark(path) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return "ran"


def fail_when_cancelled(path: str) -> NoReturn:
    mark(path)
    while not current().cancelled:
        signal.sigtimedwait([], 0.002)
    raise OddError("asked to stop")
