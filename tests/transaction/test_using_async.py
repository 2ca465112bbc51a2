"""Jobs submitted in an AsyncSession or AsyncConnection, with drivers that never block the loop."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from lightwork.durable.executor import DurableExecutor
from lightwork.durable.future import DurableFuture
from lightwork.errors import UsageError
from lightwork.model import State
from transaction.notes import double

pytestmark = pytest.mark.filterwarnings("ignore:.*garbage:ResourceWarning")
DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+asyncmy",
    "mariadb": "mariadb+asyncmy",
}
Main = Callable[[AsyncEngine], Coroutine[Any, Any, Any]]


def run(url: str, main: Main) -> Any:
    async def run_it() -> Any:
        parsed = make_url(url)
        engine = create_async_engine(parsed.set(drivername=DRIVERS[parsed.get_backend_name()]))
        try:
            return await main(engine)
        finally:
            await engine.dispose()

    return asyncio.run(run_it())


def ids(*futures: Any) -> list[Any]:
    assert all(isinstance(future, DurableFuture) for future in futures)
    return [future.job_id for future in futures]


def test_a_job_exists_once_its_async_session_has_committed(
    executor: DurableExecutor, url: str
) -> None:
    async def main(engine: AsyncEngine) -> None:
        async with AsyncSession(engine) as session:
            using = executor.using(session)
            one = await using.submit(double, 2)
            many = await using.submit_many(double, [(1,), (2,)])
            assert executor.store.states(ids(one, *many)) == {}
            with pytest.raises(UsageError, match="commit first"):
                await one
            await session.commit()
            assert list(executor.store.states(ids(one, *many)).values()) == [State.READY] * 3

    run(url, main)


def test_a_job_of_an_async_session_is_gone_when_that_rolls_back(
    executor: DurableExecutor, url: str
) -> None:
    async def main(engine: AsyncEngine) -> None:
        async with AsyncSession(engine) as session:
            future = await executor.using(session).submit(double, 2)
            await session.rollback()
            assert future.cancelled()
            assert executor.store.states(ids(future)) == {}

    run(url, main)


def test_a_job_of_an_async_connection_exists_once_it_has_committed(
    executor: DurableExecutor, url: str
) -> None:
    async def main(engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            future = await executor.using(connection).submit(double, 2)
        assert list(executor.store.states(ids(future)).values()) == [State.READY]

    run(url, main)


@pytest.mark.process
def test_outcomes_are_awaited_after_the_commit(url: str) -> None:
    async def main(engine: AsyncEngine) -> None:
        async with AsyncSession(engine) as session:
            future = await executor.using(session).submit(double, 2)
            results = await executor.using(session).map(double, range(3))
            await session.commit()
            assert await future == 4
            assert [result async for result in results] == [0, 2, 4]

    with DurableExecutor(url, workers="threads:2") as executor:
        run(url, main)


def test_results_of_a_map_cannot_be_awaited_before_the_commit(
    executor: DurableExecutor, url: str
) -> None:
    async def main(engine: AsyncEngine) -> None:
        async with AsyncSession(engine) as session:
            for ordered in (True, False):
                results = await executor.using(session).map(double, range(3), ordered=ordered)
                with pytest.raises(UsageError, match="commit first"):
                    await anext(results)

    run(url, main)
