"""Functions that tests measure; children import this module too."""

import asyncio
import os
import sys
import threading
import time
from pathlib import Path


def compute(n: int) -> int:
    total = 0
    for number in range(n):
        total += number * number
    return total


def wait(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def add_one(n: int) -> int:
    return n + 1


def make_bytes(size: int) -> bytes:
    return bytes(size)


def make_lock(_item: object) -> object:
    return threading.Lock()


def raise_at_42(n: int) -> int:
    if n == 42:
        raise ValueError("not this one")
    return n


def raise_in_child(n: int) -> int:
    if is_in_child():
        raise LookupError("only here")
    return n


def die_in_child(n: int) -> int:
    if is_in_child():
        os._exit(3)
    return n


def print_and_add(n: int) -> int:
    print("noise", n)  # noqa: T201 - that it is dropped is tested
    return n + 1


def add(one: int, two: int) -> int:
    return one + two


class Adder:
    @staticmethod
    def add(n: int) -> int:
        return n + 1


def hang_in_threads(path: str) -> None:
    if threading.current_thread() is not threading.main_thread():
        Path(path).touch()
        time.sleep(3600)
    time.sleep(0.01)


async def wait_async(item: object) -> object:
    """Wait for as long as a quick service takes."""
    await asyncio.sleep(0.005)
    return item


def is_in_child() -> bool:
    return "lightwork.tune.measure" not in sys.modules
