"""DurableExecutor.map of what has a length: every job is kept, read or not."""

import gc
import itertools

import pytest

from face.jobs import square
from lightwork.durable.executor import DurableExecutor
from lightwork.durable.mapping import AHEAD
from lightwork.errors import UsageError
from lightwork.model import State
from lightwork.store.sqlstore import open_store

pytestmark = pytest.mark.process

# More than have futures at a time.
MANY = AHEAD + 1500


def states(url: str) -> dict[State, int]:
    store = open_store(url)
    found = store.summary().states
    store.close()
    return dict(found)


def test_every_job_is_kept_when_map_returns(kept: DurableExecutor, url: str) -> None:
    kept.map(square, range(MANY))
    gc.collect()

    assert states(url)[State.READY] == MANY


def test_a_map_that_nobody_reads_runs_whole(url: str) -> None:
    with DurableExecutor(url, workers=1) as executor:
        executor.map(square, range(MANY))

    assert states(url)[State.SUCCEEDED] == MANY


def test_results_can_be_read_after_the_end(url: str) -> None:
    with DurableExecutor(url, workers=1) as executor:
        results = executor.map(square, range(MANY), key="whole")

    assert list(results) == [number**2 for number in range(MANY)]


def test_all_results_are_read_while_it_runs(url: str) -> None:
    with DurableExecutor(url, workers=1) as executor:
        found = list(executor.map(square, range(MANY), ordered=False))

    assert sorted(found) == [number**2 for number in range(MANY)]


@pytest.mark.parametrize("progress", [False, True])
def test_closing_cancels_those_without_a_future_too(
    kept: DurableExecutor, url: str, *, progress: bool
) -> None:
    results = kept.map(square, range(MANY), progress=progress)

    results.close()

    assert states(url)[State.CANCELLED] == MANY


def test_a_shutdown_that_cancels_means_all_of_them(url: str) -> None:
    executor = DurableExecutor(url)
    executor.map(square, range(MANY))

    executor.shutdown(cancel_futures=True)

    assert states(url)[State.CANCELLED] == MANY


@pytest.mark.parametrize("ordered", [True, False])
def test_reading_what_cannot_come_any_more_raises(url: str, *, ordered: bool) -> None:
    with DurableExecutor(url) as executor:
        results = executor.map(square, range(3), ordered=ordered)

    with pytest.raises(RuntimeError, match="shut down before this job had its outcome"):
        next(results)


def test_leaving_the_block_of_a_lazy_map_that_nobody_read_raises(url: str) -> None:
    with pytest.raises(UsageError, match="first 50 items"), DurableExecutor(url) as executor:
        executor.map(square, itertools.count(), buffersize=50)


def test_a_lazy_map_that_ends_within_the_buffer_is_no_error(url: str) -> None:
    with DurableExecutor(url) as executor:
        executor.map(square, iter(range(5)), buffersize=50)
