"""Jobs that wait for jobs: whoever waits has no slot meanwhile, however it waits."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import lightwork as lw
from face import waiting_jobs as jobs
from lightwork.durable.executor import DurableExecutor

PATIENCE = 25


@pytest.fixture(scope="module", params=["threads:1", "processes:1"])
def single(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[DurableExecutor, str]]:
    """One slot: a job that keeps it while it waits for another waits for ever."""
    url = f"sqlite:///{tmp_path_factory.mktemp('waiting')}/work.db"
    with DurableExecutor(url, workers=request.param) as executor:
        yield executor, url


@pytest.mark.parametrize("how", jobs.ASYNC)
def test_coroutine_that_waits_gives_its_slot_back(
    single: tuple[DurableExecutor, str], how: str
) -> None:
    executor, url = single

    assert executor.submit(jobs.wait_async, url, how).result(PATIENCE) == 3


@pytest.mark.parametrize("how", jobs.SYNC)
def test_function_that_waits_gives_its_slot_back(
    single: tuple[DurableExecutor, str], how: str
) -> None:
    executor, url = single
    assert executor.submit(jobs.wait_sync, url, how).result(PATIENCE) == 3


@pytest.mark.parametrize("how", jobs.ALONE)
def test_job_that_waits_for_itself_is_told_so(
    single: tuple[DurableExecutor, str], how: str
) -> None:
    executor, url = single

    with pytest.raises(lw.JobFailed, match="waits for its own outcome"):
        executor.submit(jobs.wait_for_itself, url, how).result(PATIENCE)


@pytest.mark.parametrize("how", ["result", "awaited_alone"])
def test_job_that_waits_for_one_that_needs_its_place_in_a_limit_is_told_so(
    single: tuple[DurableExecutor, str], how: str
) -> None:
    executor, url = single

    with pytest.raises(lw.JobFailed, match="needs a place of limit 'one'"):
        executor.submit(jobs.wait_for_limited, url, how).result(PATIENCE)


def test_job_that_waits_for_one_that_begins_after_it_is_told_so(
    single: tuple[DurableExecutor, str],
) -> None:
    executor, url = single

    with pytest.raises(lw.JobFailed, match="to begin after its end"):
        executor.submit(jobs.wait_for_later, url).result(PATIENCE)


def test_any_thread_of_a_child_gives_the_slot_back(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/work.db"
    with DurableExecutor(url, workers="processes:1") as executor:
        assert executor.submit(jobs.wait_in_a_thread, url).result(PATIENCE) == 3
