"""Users bring drivers of their own, and isolation of their own."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from lightwork.durable.executor import DurableExecutor
from lightwork.model import State
from transaction.notes import double

LATER = double.options(delay=60)


def test_another_driver_of_postgresql_submits(postgresql_url: str) -> None:
    engine = create_engine(make_url(postgresql_url).set(drivername="postgresql+psycopg2"))
    with DurableExecutor(postgresql_url) as executor, Session(engine) as session:
        using = executor.using(session)
        using.submit(double, 1)
        using.submit_many(double, [(2,), (3,)])
        using.submit(LATER, 4)
        using.submit_many(LATER, [(5,), (6,)])
        session.commit()
        check(executor)
    engine.dispose()


def test_an_asynchronous_driver_of_postgresql_submits(postgresql_url: str) -> None:
    async def main(executor: DurableExecutor) -> None:
        url = make_url(postgresql_url).set(drivername="postgresql+asyncpg")
        engine = create_async_engine(url)
        async with AsyncSession(engine) as session:
            using = executor.using(session)
            await using.submit(double, 1)
            await using.submit_many(double, [(2,), (3,)])
            await using.submit(LATER, 4)
            await using.submit_many(LATER, [(5,), (6,)])
            await session.commit()
        await engine.dispose()

    with DurableExecutor(postgresql_url) as executor:
        asyncio.run(main(executor))
        check(executor)


def check(executor: DurableExecutor) -> None:
    states = sorted(job.state for job in executor.store.jobs())
    assert states == [State.READY] * 3 + [State.SCHEDULED] * 3
    assert executor.store.check() == []


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_what_a_snapshot_does_not_show_is_known_all_the_same(mariadb_url: str, level: str) -> None:
    engine = create_engine(mariadb_url, isolation_level=level)
    with DurableExecutor(mariadb_url) as executor, Session(engine) as session:
        if level != "SERIALIZABLE":
            # There a read locks, and nobody else could submit meanwhile.
            session.execute(text("SELECT count(*) FROM job"))
        first = executor.submit_many(double, [(1,), (2,)], key="import")
        again = executor.using(session).submit_many(double, [(1,), (3,), (2,)], key="import")
        single = executor.using(session).submit_many(double, [(1,)], key="import")
        session.commit()
        found: Any = [future.job_id for future in (*first, *again, *single)]

        assert len(set(found)) == 3
        assert len(executor.store.jobs()) == 3
        assert executor.store.check() == []
    engine.dispose()
