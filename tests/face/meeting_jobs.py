"""Coroutine tasks that wait for one another, in the child that runs them; and others."""

import asyncio
import sys

from lightwork.tasks.task import task

_there: list[int] = []
_all_there = asyncio.Event()


@task
async def meet(count: int) -> int:
    """Return when so many are here at once."""
    _there.append(1)
    if len(_there) == count:
        _all_there.set()
    await _all_there.wait()
    return len(_there)


@task
def plain() -> str:
    return "ran"


@task
def say(text: str) -> None:
    print(text)  # noqa: T201 - it is what is tested
    sys.stdout.flush()


@task(max_memory="512M")
def grow() -> int:
    """Take more than that, or say that it could not."""
    try:
        return len(bytearray(2**30))
    except MemoryError:
        return -1
