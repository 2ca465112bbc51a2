"""PGQueuer, on PostgreSQL."""

import asyncio
import os

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from durable.board import tick

_URL = os.environ["BENCH_URL"].replace("+psycopg", "")
_loop = asyncio.new_event_loop()
_open: list[tuple[asyncpg.Connection, Queries]] = []


async def _connect() -> tuple[asyncpg.Connection, Queries]:
    connection = await asyncpg.connect(_URL)
    return connection, Queries(AsyncpgDriver(connection))


def install() -> None:
    _open.append(_loop.run_until_complete(_connect()))
    _loop.run_until_complete(_open[0][1].install())


def submit_many(count: int) -> None:
    for first in range(0, count, 1000):
        size = min(1000, count - first)
        _loop.run_until_complete(_open[0][1].enqueue(["job"] * size, [b"0"] * size, [0] * size))


def submit_one(sent: int) -> object:
    _loop.run_until_complete(_open[0][1].enqueue("job", str(sent).encode()))
    return None


def close() -> None:
    _loop.run_until_complete(_open.pop()[0].close())


def serve() -> None:
    async def run() -> None:
        connection, _ = await _connect()
        queuer = PgQueuer(AsyncpgDriver(connection))

        @queuer.entrypoint("job")
        async def job(job: Job) -> None:
            tick(int(job.payload or b"0"))

        await queuer.run(batch_size=int(os.environ["BENCH_OPTION"]))

    asyncio.run(run())
