"""Huey, on SQLite."""

import os

from huey import SqliteHuey

from durable.board import tick

huey = SqliteHuey(
    filename=os.environ["BENCH_URL"].removeprefix("sqlite:///"),
    fsync=os.environ["BENCH_OPTION"] == "fsync",
)


@huey.task()
def job(sent: int) -> int:
    tick(sent)
    return 0


def install() -> None:
    pass


def submit_many(count: int) -> None:
    for _ in range(count):
        job(0)


def submit_one(sent: int) -> object:
    job(sent)
    return None


def close() -> None:
    huey.storage.close()


def serve() -> None:
    huey.create_consumer(workers=2, worker_type="process").run()
