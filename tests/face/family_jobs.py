"""Tasks of tests about dependencies; children import it, so it imports little."""

import os
import time
from collections.abc import Sequence
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightwork as lw


@dataclass(frozen=True)
class Order:
    number: int


class Opaque:
    """Is not plain data."""

    def __init__(self, number: int) -> None:
        self.number = number


@lw.task
def number(n: int) -> int:
    return n


@lw.task
def total(*numbers: Any, more: Sequence[Any] = ()) -> int:
    return int(sum(numbers) + sum(more))


@lw.task
def ordered(n: int) -> Order:
    return Order(n)


@lw.task
def number_of(order: Any) -> int:
    result: int = order.number
    return result


@lw.task
def opaque(n: int) -> Any:
    return Opaque(n)


@lw.task
def fail(text: str) -> int:
    raise ValueError(text)


@lw.task
def named(value: Any) -> str:
    return f"{type(value).__name__}: {value}"


@lw.task
def note(path: str, word: str) -> None:
    with Path(path).open("a") as file:
        file.write(f"{word}\n")


@lw.task
def wait_for(path: str) -> None:
    while not Path(path).exists():
        time.sleep(0.01)


@lw.task
def nested(value: Any) -> Any:
    return value


@lw.task
def factorial(url: str, n: int) -> int:
    """Wait for a job that waits for a job, and so on."""
    if n < 2:
        return 1
    with lw.executor(url) as executor:
        return n * executor.submit(factorial, url, n - 1).result(60)


@lw.task
def sum_of(url: str, n: int) -> int:
    """Wait for many jobs as the standard library does."""
    with lw.executor(url) as executor:
        made = [executor.submit(number, k) for k in range(n)]
        done, _ = futures.wait(made, 60)
        return sum(future.result() for future in done)


@lw.task
def pid() -> int:
    return os.getpid()
