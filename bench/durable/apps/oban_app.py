"""Oban for Python, on PostgreSQL; in an environment of its own, as it needs Python 3.12 or newer."""

import asyncio
import os

from oban import Oban, job
from oban.schema import install as install_schema

from durable.board import tick

_URL = os.environ["BENCH_URL"].replace("+psycopg", "")
_loop = asyncio.new_event_loop()
_open: list[Oban] = []


@job()
async def body(sent: int) -> None:
    tick(sent)


async def _submitter() -> Oban:
    pool = await Oban.create_pool(dsn=_URL)
    await install_schema(pool)
    return await Oban(pool=pool).start()


def install() -> None:
    _open.append(_loop.run_until_complete(_submitter()))


def submit_many(count: int) -> None:
    for first in range(0, count, 1000):
        jobs = [body.new(0) for _ in range(first, min(first + 1000, count))]
        _loop.run_until_complete(_open[0].enqueue_many(jobs))


def submit_one(sent: int) -> object:
    _loop.run_until_complete(_open[0].enqueue(body.new(sent)))
    return None


def close() -> None:
    _loop.run_until_complete(_open.pop().stop())


def serve() -> None:
    async def run() -> None:
        pool = await Oban.create_pool(dsn=_URL)
        async with Oban(pool=pool, queues={"default": 20}):
            await asyncio.Event().wait()

    asyncio.run(run())
