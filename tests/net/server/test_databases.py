"""Servers of the databases that are servers themselves: a job's whole way, and who is told of it."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from lightwork.lifecycle import Succeeded
from lightwork.model import State
from lightwork.net.client.client import ServerStore
from lightwork.net.server.app import App
from lightwork.store.sqlstore import open_store
from net.served import served
from store.databases import mariadb_url, postgresql_url
from store.steps import LANES, new_job, registered

__all__ = ["mariadb_url", "postgresql_url"]


@pytest.fixture(params=["postgresql", "mariadb"])
def behind(request: pytest.FixtureRequest) -> Iterator[ServerStore]:
    database = str(request.getfixturevalue(f"{request.param}_url"))
    with (
        closing(open_store(database)) as store,
        served(App(store)) as url,
        ServerStore(url) as client,
    ):
        yield client


def test_a_job_goes_its_way(behind: ServerStore) -> None:
    job = new_job(tags=("x",))
    heard: list[int] = []
    seen = behind.changes()
    waiting = threading.Thread(target=lambda: heard.append(behind.wait_for_change(seen, 30)))
    waiting.start()

    new = behind.submit_nowait([job]).result(30)
    waiting.join(30)
    worker = registered(behind)
    (attempt,) = behind.claim(worker, lanes=behind.lanes(["default"]) and LANES, limit=2)
    refused = behind.ack(worker, [(attempt, Succeeded(b"r")), (attempt, Succeeded(b"again"))])

    assert (new, heard != [seen]) == ([True], True)
    assert [one.job_id for one in refused] == [job.id]
    assert behind.outcomes([job.id])[job.id].result == b"r"
    assert behind.submit([job]) == [False]
    assert [one.state for one in behind.jobs(tag="x")] == [State.SUCCEEDED]
    assert behind.check() == []
