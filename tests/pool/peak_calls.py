"""Calls that look at their child's peak memory as attempts of jobs do; children import it."""

import resource
import subprocess
import sys
import time
from itertools import count

from lightwork.pool.child import peak_memory

# Instants of a clock of our own: each attempt begins long after the one before.
_instants = count(time.monotonic() + 1.0, 1.0)


def touch(size: int) -> None:
    page = resource.getpagesize()
    bytearray(size)[::page] = bytes(-(-size // page))


def peak_of(size: int, at: float) -> int | None:
    peak_memory.begin(at)
    try:
        touch(size)
        return peak_memory.peak()
    finally:
        peak_memory.end()


def peaks_of(sizes: list[int]) -> list[int | None]:
    return [peak_of(size, next(_instants)) for size in sizes]


def peaks_at_one_instant(sizes: list[int]) -> list[int | None]:
    now = next(_instants)
    return [peak_of(size, now) for size in sizes]


def peaks_without_forgetting(sizes: list[int]) -> list[int | None]:
    """Do the same in a process that can open no file."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        return peaks_of(sizes)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def peak_with_program(size: int) -> int | None:
    peak_memory.begin(next(_instants))
    try:
        code = f"held = bytearray({size}); held[::4096] = bytes(len(held) // 4096)"
        subprocess.run([sys.executable, "-c", code], check=True)
        return peak_memory.peak()
    finally:
        peak_memory.end()


def peak_outside() -> tuple[int | None, int | None]:
    before = peak_memory.peak()
    peak_of(1, next(_instants))
    return before, peak_memory.peak()
