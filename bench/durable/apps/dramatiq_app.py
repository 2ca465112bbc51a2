"""Dramatiq, on Redis."""

import os
import sys

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from durable.board import tick

dramatiq.set_broker(RedisBroker(url=os.environ["BENCH_URL"]))


@dramatiq.actor
def job(sent: int) -> None:
    tick(sent)


def install() -> None:
    pass


def submit_many(count: int) -> None:
    for _ in range(count):
        job.send(0)


def submit_one(sent: int) -> object:
    job.send(sent)
    return None


def close() -> None:
    pass


def serve() -> None:
    words = ["-m", "dramatiq", __name__, "--processes", "2", "--threads", "8"]
    os.execv(sys.executable, [sys.executable, *words])
