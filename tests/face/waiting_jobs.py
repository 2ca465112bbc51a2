"""Tasks that wait for jobs of their own in every way there is; children import it."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent import futures
from typing import Any

import lightwork as lw


@lw.task
def number(n: int) -> int:
    return n


@lw.task
async def number_async(n: int) -> int:
    return n


async def awaited(ex: Any) -> int:
    first: int = await ex.submit(number, 1)
    second: int = await ex.submit(number_async, 2)
    return first + second


async def gathered(ex: Any) -> int:
    return sum(await asyncio.gather(ex.submit(number, 1), ex.submit(number_async, 2)))


async def iterated(ex: Any) -> int:
    found = [n async for n in ex.map(number, [1])]
    found += [n async for n in ex.map(number_async, [2], ordered=False)]
    return sum(found)


async def wrapped(ex: Any) -> int:
    found: int = await asyncio.get_running_loop().run_in_executor(ex, number, 3)
    return found


async def blocked(ex: Any) -> int:
    found: int = ex.submit(number, 3).result(20)
    return found


ASYNC: dict[str, Callable[[Any], Awaitable[int]]] = {
    fn.__name__: fn for fn in (awaited, gathered, iterated, wrapped, blocked)
}


def in_a_loop(ex: Any) -> int:
    return asyncio.run(awaited(ex))


def in_a_thread(ex: Any) -> int:
    future = ex.submit(number, 3)
    with futures.ThreadPoolExecutor(1) as threads:
        found: int = threads.submit(future.result, 20).result()
    return found


def unordered(ex: Any) -> int:
    return sum(ex.map(number, [1, 2], ordered=False))


def polled(ex: Any) -> int:
    future = ex.submit(number, 3)
    while not future.done():
        time.sleep(0.01)
    found: int = future.result()
    return found


SYNC: dict[str, Callable[[Any], int]] = {
    fn.__name__: fn for fn in (in_a_loop, in_a_thread, unordered, polled)
}


@lw.task
async def wait_async(url: str, how: str) -> int:
    with lw.executor(url) as executor:
        return await ASYNC[how](executor)


@lw.task
def wait_sync(url: str, how: str) -> int:
    with lw.executor(url) as executor:
        return SYNC[how](executor)


@lw.task
def wait_in_a_thread(url: str) -> int:
    """Let a thread that knows nothing of the job submit and wait."""
    found: list[int] = []
    with lw.executor(url) as ex:
        thread = threading.Thread(target=lambda: found.append(ex.submit(number, 3).result(20)))
        thread.start()
        thread.join()
    return found[0]


def result(future: Any) -> int:
    found: int = future.result()
    return found


def awaited_alone(future: Any) -> int:
    async def main() -> int:
        found: int = await future
        return found

    return asyncio.run(main())


def among_others(future: Any) -> int:
    return len(futures.wait([future]).done)


ALONE: dict[str, Callable[[Any], int]] = {
    fn.__name__: fn for fn in (result, awaited_alone, among_others)
}


@lw.task(unique="itself")
def wait_for_itself(url: str, how: str) -> int:
    """Submit its own key, which gives the future of this very job."""
    with lw.executor(url) as executor:
        return ALONE[how](executor.submit(wait_for_itself, url, how))


ONE = lw.Limit("one", running=1)


@lw.task(limit=ONE)
def limited(n: int) -> int:
    return n


@lw.task(limit=ONE)
def wait_for_limited(url: str, how: str) -> int:
    """Hold the only place of a limit, and wait for a job that needs it."""
    with lw.executor(url) as executor:
        return ALONE[how](executor.submit(limited, 3))


@lw.task
def wait_for_later(url: str) -> int:
    """Wait for a job that is to begin after this one."""
    with lw.executor(url) as executor:
        future = executor.submit(lw.call(number, after=[lw.current().job_id]), 3)
        found: int = future.result()
        return found
