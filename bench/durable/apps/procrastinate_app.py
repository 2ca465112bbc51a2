"""Procrastinate, on PostgreSQL."""

import asyncio
import os

import procrastinate

from durable.board import tick

_URL = os.environ["BENCH_URL"].replace("+psycopg", "")
app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=_URL))


@app.task(name="job")
async def job(sent: int) -> None:
    tick(sent)


def install() -> None:
    app.open()
    app.schema_manager.apply_schema()


def submit_many(count: int) -> None:
    for first in range(0, count, 1000):
        job.batch_defer(*({"sent": 0} for _ in range(first, min(first + 1000, count))))


def submit_one(sent: int) -> object:
    job.defer(sent=sent)
    return None


def close() -> None:
    app.close()


def serve() -> None:
    async def run() -> None:
        async with app.open_async():
            await app.run_worker_async(concurrency=20, install_signal_handlers=False)

    asyncio.run(run())
