"""DBOS, on PostgreSQL."""

import os
import threading

from dbos import DBOS, DBOSClient

from durable.board import tick

os.environ.setdefault("DBOS__APPVERSION", "bench")
_URL = os.environ["BENCH_URL"].replace("+psycopg", "")
_open: list[DBOSClient] = []


def _launch() -> None:
    DBOS(config={"name": "bench", "system_database_url": _URL})

    @DBOS.workflow(name="job")
    def job(sent: int) -> int:
        tick(sent)
        return 0

    DBOS.launch()
    DBOS.register_queue("bench")


def install() -> None:
    # Makes the tables.
    _launch()
    DBOS.destroy()
    _open.append(DBOSClient(system_database_url=_URL))


def submit_many(count: int) -> None:
    for _ in range(count):
        submit_one(0)


def submit_one(sent: int) -> object:
    _open[0].enqueue({"queue_name": "bench", "workflow_name": "job", "app_version": "bench"}, sent)
    return None


def close() -> None:
    _open.pop().destroy()


def serve() -> None:
    _launch()
    threading.Event().wait()
