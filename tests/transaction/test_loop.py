"""No call that a coroutine may make holds up its event loop, however long the database is held."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, make_url
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from face.test_in_a_loop import STILL, heartbeat
from lightwork.durable.executor import DurableExecutor
from lightwork.model import State
from transaction.notes import double
from transaction.test_using_async import DRIVERS

pytestmark = pytest.mark.process
LOCKS = {
    "sqlite": ["BEGIN IMMEDIATE"],
    "postgresql": ["BEGIN", "LOCK TABLE job IN ACCESS EXCLUSIVE MODE"],
    "mysql": ["LOCK TABLES job WRITE"],
    "mariadb": ["LOCK TABLES job WRITE"],
}
ENDS = {"sqlite": "ROLLBACK", "postgresql": "ROLLBACK"}
# Longer than a loop may stand still.
HELD = 1.5


@contextmanager
def held(url: str) -> Iterator[None]:
    """Hold the jobs, in a thread of their own, which nobody else can read or write meanwhile."""
    kind, engine = make_url(url).get_backend_name(), create_engine(url, poolclass=NullPool)
    is_held, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            if kind == "sqlite":
                driver.isolation_level = None
            cursor = driver.cursor()
            for statement in LOCKS[kind]:
                cursor.execute(statement)
            is_held.set()
            leave.wait(60)
            cursor.execute(ENDS.get(kind, "UNLOCK TABLES"))

    thread = threading.Thread(target=hold)
    thread.start()
    assert is_held.wait(60)
    try:
        yield
    finally:
        leave.set()
        thread.join()


async def submit(executor: DurableExecutor) -> object:
    return await executor.submit_async(double, 1)


async def submit_many(executor: DurableExecutor) -> object:
    return await executor.submit_many_async(double, [(1,), (2,)])


async def map_all(executor: DurableExecutor) -> object:
    results = await executor.map_async(double, range(3))
    await results.aclose()
    return results


async def find(executor: DurableExecutor) -> object:
    (job,) = await asyncio.to_thread(executor.store.jobs, limit=1)
    return await executor.future_async(job.id)


async def cancel(executor: DurableExecutor) -> object:
    (job,) = await asyncio.to_thread(executor.store.jobs, limit=1)
    future = await executor.future_async(job.id)
    return await future.cancel_async()


CALLS: dict[str, Callable[[DurableExecutor], Coroutine[Any, Any, object]]] = {
    "submit": submit,
    "submit_many": submit_many,
    "map": map_all,
    "find": find,
    "cancel": cancel,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_loop_goes_on_while_the_database_is_held(
    executor: DurableExecutor, url: str, call: Callable[[DurableExecutor], Coroutine[Any, Any, Any]]
) -> None:
    executor.submit(double, 0)

    async def main() -> float:
        async with heartbeat() as beats:
            with held(url):
                task = asyncio.create_task(call(executor))
                await asyncio.wait([task], timeout=HELD)
            await task
        return max(beats)

    assert asyncio.run(main()) < STILL


def test_a_loop_goes_on_whatever_a_future_is_asked(executor: DurableExecutor, url: str) -> None:
    future = executor.submit(double, 0)

    async def main() -> float:
        async with heartbeat() as beats:
            with held(url):
                asked = [future.running(), future.has_begun(), future.progress, future.cancel()]
                await asyncio.sleep(HELD)
        assert asked == [False, False, None, False]
        return max(beats)

    assert asyncio.run(main()) < STILL


def test_a_loop_goes_on_while_a_session_waits(executor: DurableExecutor, url: str) -> None:
    async def main() -> float:
        parsed = make_url(url)
        engine = create_async_engine(parsed.set(drivername=DRIVERS[parsed.get_backend_name()]))
        async with heartbeat() as beats:
            async with AsyncSession(engine) as session:
                with held(url):
                    task = asyncio.create_task(executor.using(session).submit(double, 2))
                    await asyncio.wait([task], timeout=HELD)
                future: Any = await task
                await session.commit()
            states = await asyncio.to_thread(executor.store.states, [future.job_id])
            assert list(states.values()) == [State.READY]
        await engine.dispose()
        return max(beats)

    assert asyncio.run(main()) < STILL


def test_a_loop_goes_on_while_an_executor_ends(url: str) -> None:
    async def main() -> float:
        ex = await asyncio.to_thread(DurableExecutor, url, workers="threads:1")
        async with heartbeat() as beats:
            assert await (await ex.submit_async(double, 2)) == 4
            with held(url):
                await ex.__aexit__(None, None, None)
        return max(beats)

    assert asyncio.run(main()) < STILL
