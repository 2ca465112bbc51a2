"""Whoever waits for a job that nobody will run hears why, once."""

import asyncio
import warnings
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from face.jobs import add, square, wait_for
from lightwork.durable.executor import DurableExecutor
from lightwork.errors import NoWorkerWarning
from lightwork.work.service import Worker


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Impatient: says after 50 ms what others hear after two seconds."""
    for place in ("durable.future", "durable.waits.no_worker", "durable.collect"):
        monkeypatch.setattr(f"lightwork.{place}.PATIENCE", 0.05)


def waited(future: Future[Any], seconds: float = 0.3) -> list[str]:
    """Wait in vain; return what was said."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with pytest.raises(TimeoutError):
            future.result(timeout=seconds)
    assert all(one.category is NoWorkerWarning for one in said)
    assert all(one.filename == __file__ for one in said)
    return [str(one.message) for one in said]


def test_a_result_without_a_live_worker_says_so_after_two_seconds(kept: DurableExecutor) -> None:
    future = kept.submit(square, 2)
    before = waited(future, 1.9)

    after = waited(future, 2.1)

    assert before == []
    start = f"lightwork worker {kept.store.safe_url} -m face.jobs"
    assert after == [f"1 ready job of face.jobs:square: no worker is alive; start one: {start}"]


@pytest.mark.usefixtures("hasty")
def test_one_reason_is_told_once_by_an_executor(kept: DurableExecutor) -> None:
    first, second = kept.submit_many(square, [(1,), (2,)])

    assert len(waited(first)) == 1
    assert waited(first) == waited(second) == []


@pytest.mark.usefixtures("hasty")
def test_a_queue_that_nobody_serves_is_named(url: str, kept: DurableExecutor) -> None:
    worker = Worker(url, executor="threads:1", modules=["face.jobs"])
    worker.start()
    (future,) = kept.submit_many(square.options(queue="mail"), [(1,)])

    (said,) = waited(future)

    worker.stop()
    worker.join()
    assert "no live worker serves the queue 'mail'" in said
    assert said.endswith("-m face.jobs -q mail")


@pytest.mark.usefixtures("hasty")
def test_each_task_that_nobody_knows_is_named_with_the_number_of_its_jobs(
    url: str, kept: DurableExecutor
) -> None:
    worker = Worker(url, executor="threads:1", allow=["json"])
    worker.start()
    (*_, future) = kept.submit_many(square, [(1,), (2,), (3,)])
    (other,) = kept.submit_many(add, [(1,)])

    said = waited(future) + waited(other)

    worker.stop()
    worker.join()
    assert [text.partition(";")[0] for text in said] == [
        "3 ready jobs of face.jobs:square: no live worker knows this task",
        "1 ready job of face.jobs:add: no live worker knows this task",
    ]


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("ordered", [True, False])
def test_a_map_says_it_in_whatever_order_its_results_come(
    kept: DurableExecutor, ordered: bool
) -> None:
    results = kept.map(square, range(3), ordered=ordered, timeout=1)

    with (
        pytest.warns(NoWorkerWarning, match="3 ready jobs of face.jobs:square: no worker") as said,
        pytest.raises(TimeoutError),
    ):
        next(results)
    assert [one.filename for one in said] == [__file__]


@pytest.mark.usefixtures("hasty")
def test_a_coroutine_that_waits_hears_it_too(kept: DurableExecutor) -> None:
    async def wait() -> None:
        async with asyncio.timeout(1):
            await kept.submit(square, 1)

    with pytest.warns(NoWorkerWarning, match="no worker is alive"), pytest.raises(TimeoutError):
        asyncio.run(wait())


@pytest.mark.usefixtures("hasty")
def test_a_map_that_a_coroutine_reads_says_it_too(kept: DurableExecutor) -> None:
    async def read() -> None:
        async for _ in kept.map(square, range(3), timeout=1):
            pass

    with pytest.warns(NoWorkerWarning, match="no worker is alive"), pytest.raises(TimeoutError):
        asyncio.run(read())


@pytest.mark.usefixtures("hasty")
def test_a_job_that_is_not_due_yet_is_no_reason_to_warn(kept: DurableExecutor) -> None:
    (future,) = kept.submit_many(square.options(delay=60), [(1,)])

    assert waited(future) == []


@pytest.mark.usefixtures("hasty")
def test_a_job_that_waits_behind_others_here_is_no_reason_to_warn(url: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with DurableExecutor(url, workers="threads:1") as executor:
        executor.submit(wait_for, str(gate))
        (future,) = executor.submit_many(square, [(1,)])

        said = waited(future)

        gate.touch()
        assert (said, future.result(60)) == ([], 1)


@pytest.mark.usefixtures("hasty")
def test_a_result_that_comes_late_comes_after_the_warning(url: str, kept: DurableExecutor) -> None:
    (future,) = kept.submit_many(square, [(3,)])
    said = waited(future)
    worker = Worker(url, executor="threads:1", modules=["face.jobs"], burst=True)

    worker.run()

    assert (len(said), future.result(60)) == (1, 9)
