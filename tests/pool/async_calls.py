"""Coroutine functions that threads and children run in these tests; imports little."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NoReturn

from lightwork.pool.call.current import current
from lightwork.pool.call.local import Local
from waiting import wait_until

variable: ContextVar[str] = ContextVar("variable", default="nothing")
local = Local(object)
# What was noted in this process, for calls that share it.
noted: list[object] = []
kept: set[object] = set()


async def double(n: int) -> int:
    await asyncio.sleep(0)
    return 2 * n


def same(number: int) -> Callable[[int], Coroutine[Any, Any, int]]:
    """Return a coroutine function that is like no other one."""

    async def same(n: int) -> int:
        return n if n == number else -1

    return same


async def nap(seconds: float, result: object = None) -> object:
    await asyncio.sleep(seconds)
    return result


async def where() -> tuple[int, str, int]:
    """Return process, thread and the identity of what is local to it."""
    await asyncio.sleep(0.01)
    return os.getpid(), threading.current_thread().name, id(local.value)


def mark(path: str, text: object = "") -> None:
    """Leave a line that says: I have begun, here."""
    with Path(path).open("a") as file:
        file.write(f"{os.getpid()}:{text}\n")


def exists(path: str) -> bool:
    return Path(path).exists()


async def mark_and_wait_for(marks: str, path: str, result: object = None) -> object:
    """Mark, then return when the file exists."""
    mark(marks, result)
    while not exists(path):
        await asyncio.sleep(0.05)
    return result


async def mark_and_sleep(marks: str, seconds: float = 1000) -> None:
    mark(marks)
    await asyncio.sleep(seconds)


async def mark_and_nap(marks: str, n: int) -> int:
    mark(marks, n)
    await asyncio.sleep(0.005)
    return n


def mark_plainly(marks: str, n: int) -> int:
    mark(marks, n)
    return n


async def mark_and_tidy_up(marks: str, tidied: str) -> None:
    mark(marks)
    try:
        await asyncio.sleep(1000)
    finally:
        mark(tidied)


async def mark_and_never_obey(marks: str) -> None:
    mark(marks)
    while True:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            mark(marks)


async def mark_and_block(marks: str) -> None:
    """Do what a coroutine must not do."""
    mark(marks)
    await asyncio.sleep(0)
    time.sleep(1000)  # noqa: ASYNC251 - the point of it


def wait_for(path: str) -> None:
    while not exists(path):
        time.sleep(0.002)


async def mark_and_block_and_sleep(marks: str, gate: str) -> None:
    """Block until the file exists, then wait as a coroutine does."""
    mark(marks)
    wait_for(gate)
    await asyncio.sleep(1000)


async def mark_and_wait_until_cancelled(marks: str) -> str:
    mark(marks)
    while not current().cancelled:
        await asyncio.sleep(0.002)
    return "stopped"


async def fail(text: str) -> NoReturn:
    await asyncio.sleep(0)
    raise ValueError(text)


async def leave(how: str) -> NoReturn:
    await asyncio.sleep(0)
    if how == "exit":
        sys.exit(4)
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "cancel":
        raise asyncio.CancelledError
    raise RuntimeError(how)


async def leave_in_a_task(how: str) -> NoReturn:
    await asyncio.create_task(leave(how))
    raise AssertionError


async def exit_process() -> NoReturn:
    os._exit(7)


async def return_lock() -> object:
    return threading.Lock()


async def blob(size: int) -> bytes:
    await asyncio.sleep(0)
    return b"x" * size


async def length(data: bytes) -> int:
    await asyncio.sleep(0)
    return len(data)


async def report(total: int) -> str:
    for done in range(1, total + 1):
        current().progress(done, total, f"step {done}")
        await asyncio.sleep(0)
    return current().worker


async def set_variable(value: str) -> tuple[str, str]:
    """Return what the variable was, and what it is when others have set theirs."""
    before = variable.get()
    variable.set(value)
    await asyncio.sleep(0.05)
    return before, variable.get()


async def note(value: object) -> None:
    noted.append(value)
    await asyncio.sleep(0)


async def how_many_at_once(counts: str) -> None:
    noted.append(1)
    mark(counts, len(noted))
    await asyncio.sleep(0.02)
    noted.pop()


async def start_background_task() -> str:
    """Leave a task on the loop that outlives this call."""
    kept.add(asyncio.create_task(_tick()))
    return "started"


async def _tick() -> None:
    for _ in range(5):
        await asyncio.sleep(0.01)
    noted.append("ticked")


async def last_noted() -> object:
    return noted[-1] if noted else None


async def nested(n: int) -> int:
    """Submit to a pool of its own, and await that."""
    # Late: most children never need it.
    from lightwork.pool.process.executor import ProcessExecutor

    async with ProcessExecutor(1) as inner:
        return await inner.submit(double, n)


def run_own_loop(n: int) -> int:
    """Run a loop in a plain function, which no running loop allows."""
    return asyncio.run(double(n))


async def numbers() -> AsyncIterator[int]:
    yield 1


class Doubler:
    async def __call__(self, n: int) -> int:
        return await double(n)

    async def method(self, n: int) -> int:
        return await double(n)


class Gate:
    """What coroutines of one loop wait for, opened by any thread."""

    def __init__(self) -> None:
        self.begun: list[object] = []
        self.is_open = False

    async def wait(self, result: object = None) -> object:
        self.begun.append(result)
        while not self.is_open:
            await asyncio.sleep(0.002)
        return result

    def wait_for(self, count: int) -> None:
        """Return when so many wait."""
        wait_until(lambda: len(self.begun) >= count, f"{count} calls have begun")
