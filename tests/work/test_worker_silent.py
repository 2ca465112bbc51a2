"""A worker that is told to end while its database says nothing: it ends all the same, and others run what it held."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lightwork.errors import StoreUnavailable
from lightwork.model import State
from lightwork.store.sqlstore import SqlStore
from lightwork.work import service, stopping
from lightwork.work.service import Worker
from store.proxy import Proxy, proxy
from store.servers import new_database
from waiting import wait_until
from work.jobs import TASKS, submit, wait_for, wait_for_file

pytestmark = pytest.mark.process


@pytest.fixture(params=["postgresql", "mariadb"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    with new_database(request.param) as made:
        yield made


@pytest.fixture
def between(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[Proxy]:
    for module in (stopping, service):
        monkeypatch.setattr(module, "PATIENCE", 1.0)
    # Before a worker looks at them through this.
    SqlStore(url).close()
    with proxy(url) as made:
        yield made
    # An error that was logged keeps the connection that was not made.
    caplog.get_records("call").clear()


def stopped(worker: Worker, between: Proxy) -> None:
    """Stop it once, on a line that bytes go into and none comes out of."""
    between.is_silent = True
    worker.stop()
    has_ended = worker._is_over.wait(45)
    if not has_ended:
        # So that it can.
        between.close()
    assert has_ended


def test_one_request_ends_a_worker_that_holds_a_job(
    url: str, between: Proxy, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    worker = Worker(
        f"{between.url}?connect_timeout=2",
        executor="processes:1",
        tasks=TASKS,
        lease=2.0,
        grace=0.5,
    )
    with SqlStore(url) as store:
        job_id = submit(store, wait_for_file, str(gate))
        worker.start()
        wait_for(store, job_id, State.RUNNING)

        stopped(worker, between)

        with pytest.raises(
            StoreUnavailable, match=r"told to end .* ago, and cannot reach its store"
        ):
            worker.join()
        gate.touch()
        other = Worker(url, executor="threads:1", tasks=TASKS, lease=2.0)
        other.start()
        wait_for(store, job_id, State.SUCCEEDED)
        other.stop()
        other.join()


def test_one_request_ends_an_idle_worker(url: str, between: Proxy) -> None:
    worker = Worker(
        f"{between.url}?connect_timeout=2", executor="threads:1", tasks=TASKS, lease=2.0
    )
    worker.start()
    with SqlStore(url) as store:
        wait_until(store.workers, "it is known")

    stopped(worker, between)

    worker.wait()
