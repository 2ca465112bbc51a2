"""What tests run on a Dask cluster: children of pools there import this file."""

import asyncio
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import lightwork as lw


def square(number: int) -> int:
    return number * number


def keywords(**given: Any) -> dict[str, Any]:
    return given


def refuse(number: int) -> None:
    raise ZeroDivisionError(number)


def unpicklable() -> Any:
    return threading.Lock()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def pids() -> tuple[int, int]:
    """Return the child's, and that of the Dask worker whose pool it is of."""
    status = Path(f"/proc/{os.getppid()}/status").read_text(encoding="utf-8")
    (parent,) = (line.split()[1] for line in status.splitlines() if line.startswith("PPid:"))
    return os.getpid(), int(parent)


def begin_and_wait(folder: str) -> None:
    """Leave a file with the pid of the Dask worker, then wait for whatever comes."""
    _leave(folder)
    time.sleep(120)


def wait_for_others(folder: str) -> int:
    """Do the same the first time; the second return how often it has begun."""
    _leave(folder)
    times = len(list(Path(folder).iterdir()))
    if times == 1:
        time.sleep(120)
    return times


@lw.task(idempotent=False)
def once(folder: str) -> None:
    begin_and_wait(folder)


def _leave(folder: str) -> None:
    child, worker = pids()
    place = Path(folder) / f"{child}"
    place.with_suffix(".new").write_text(f"{worker}", encoding="utf-8")
    place.with_suffix(".new").rename(place)


@lw.task(retries=2, backoff=0)
def third_time(folder: str) -> int:
    attempt = lw.current().attempt
    (Path(folder) / f"{attempt}").touch()
    if attempt < 3:
        raise ValueError(attempt)
    return attempt


def report() -> int:
    for done in range(1, 4):
        lw.current().progress(done, 3, "at it")
    return 3


def wait_until_cancelled() -> str:
    while not lw.current().cancelled:
        time.sleep(0.005)
    return "asked"


async def meet(number: int) -> int:
    await asyncio.sleep(0)
    return number


def remember(value: str) -> None:
    os.environ["REMEMBERED"] = value


def remembered() -> str:
    return os.environ["REMEMBERED"]


def hold(size: int) -> int:
    held = bytearray(size)
    time.sleep(60)
    return len(held)


def nested(number: int) -> int:
    with lw.executor("processes:1") as inner:
        return inner.submit(square, number).result()


def wait_for_file(folder: str) -> None:
    while not (Path(folder) / "go").exists():
        time.sleep(0.005)


def note_time(seconds: float) -> tuple[float, float]:
    """Return when it began and ended, by a clock that all processes here share."""
    began = time.monotonic()
    time.sleep(seconds)
    return began, time.monotonic()
