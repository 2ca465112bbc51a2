"""Calls that report how far they are; also run in children."""

import asyncio
import threading
from typing import Any

from lightwork.pool.call.current import current
from lightwork.tasks.task import task


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


def report_what_cannot_travel(count: int) -> int:
    note: Any = threading.Lock()
    current().progress(count)
    # Too soon after the other: kept until the end.
    current().progress(count, note=note)
    return count


async def report_what_cannot_travel_async(count: int) -> int:
    return report_what_cannot_travel(count)


def double(number: int) -> int:
    return 2 * number
