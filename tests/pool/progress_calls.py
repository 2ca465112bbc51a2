"""Calls that report how far they are; also run in children."""

import asyncio

from lightwork.pool.current import current
from lightwork.tasks import task


@task
def report(count: int) -> int:
    for done in range(1, count + 1):
        current().progress(done, 30, f"step {done}")
    return count


@task
async def report_async(count: int) -> int:
    for done in range(1, count + 1):
        current().progress(done, 30, f"step {done}")
    await asyncio.sleep(0)
    return count


def double(number: int) -> int:
    return 2 * number
