"""Calls of which events are told; children import them."""

import asyncio
import os

import lightwork as lw


def double(n: int) -> int:
    return 2 * n


async def double_async(n: int) -> int:
    await asyncio.sleep(0)
    return 2 * n


def fail() -> None:
    raise ValueError("no")


def report() -> None:
    lw.current().progress(1, 2, "half")


@lw.task(retries=1, backoff=0.0)
def fail_once() -> int:
    if lw.current().attempt == 1:
        raise ValueError("once")
    return 7


def die() -> None:
    os._exit(3)
