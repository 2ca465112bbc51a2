"""Celery, on Redis."""

import os

from celery import Celery

from durable.board import tick

app = Celery("bench", broker=os.environ["BENCH_URL"], backend=os.environ["BENCH_URL"])


@app.task
def job(sent: int) -> int:
    tick(sent)
    return 0


def install() -> None:
    pass


def submit_many(count: int) -> None:
    # It has no call for many: a group is a loop of sends.
    for _ in range(count):
        job.delay(0)


def submit_one(sent: int) -> object:
    job.delay(sent)
    return None


def close() -> None:
    app.close()


def serve() -> None:
    app.worker_main(
        ["worker", "-c", "2", "--loglevel", "ERROR", "--without-gossip", "--without-mingle"]
    )
