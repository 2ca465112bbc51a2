"""What calls with a memory limit run in these tests, importable by children."""

import mmap
import os
import resource
import time


def hold(size: int) -> tuple[int, int]:
    """Hold so many bytes for a moment; return them and where that was."""
    return len(b"x" * size), os.getpid()


def hold_or_tell(size: int) -> str:
    try:
        hold(size)
    except MemoryError:
        return "refused"
    return "held"


def hold_shared(size: int) -> None:
    """Hold memory that is not counted as data."""
    shared = mmap.mmap(-1, size)
    for _ in range(size >> 20):
        shared.write(bytes(1 << 20))
    time.sleep(60)


def data_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_DATA)[0]


def hold_nothing() -> None:
    """Return."""


def fail() -> None:
    raise ValueError("no value")
