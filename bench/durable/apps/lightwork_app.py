"""lightwork: an executor that submits, workers of one child each."""

import os

from durable.board import tick
from lightwork.durable.executor import DurableExecutor
from lightwork.tasks.task import task
from lightwork.work.service import Worker

_open: list[DurableExecutor] = []


@task
def job(sent: int) -> int:
    tick(sent)
    return 0


def install() -> None:
    _open.append(DurableExecutor(os.environ["BENCH_URL"]))


def submit_many(count: int) -> None:
    _open[0].submit_many(job, ((0,) for _ in range(count)))


def submit_one(sent: int) -> object:
    return _open[0].submit(job, sent)


def close() -> None:
    _open.pop().shutdown(wait=False)


def serve() -> None:
    Worker(os.environ["BENCH_URL"], executor="processes:1", imported=True).run()
