"""Maps over coroutine functions: concurrent, exact, not far ahead."""

import itertools
import time
from collections.abc import Callable, Iterator

import async_calls
import pytest

from lightwork.errors import UsageError
from lightwork.pool.executor.executor import Executor
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor


@pytest.fixture(params=[ThreadExecutor, pytest.param(ProcessExecutor, marks=pytest.mark.process)])
def pool(request: pytest.FixtureRequest) -> Iterator[Executor]:
    make: Callable[[int], Executor] = request.param
    with make(2) as executor:
        yield executor


def test_the_results_come_in_order(pool: Executor) -> None:
    assert list(pool.map(async_calls.double, range(2000))) == list(range(0, 4000, 2))


def test_items_overlap(pool: Executor) -> None:
    started = time.monotonic()

    results = list(pool.map(async_calls.nap, [0.1] * 1000, range(1000)))

    assert results == list(range(1000))
    # One after the other it would take 100 s.
    assert time.monotonic() - started < 30


def test_each_failure_is_its_item_s(pool: Executor) -> None:
    results: list[object] = list(pool.map(async_calls.fail, ["a", "b"], errors="return"))

    assert [str(error) for error in results] == ["a", "b"]


def test_an_infinite_input_is_not_taken_far_ahead(pool: Executor) -> None:
    counter = itertools.count()

    results = pool.map(async_calls.double, counter)

    assert list(itertools.islice(results, 100)) == list(range(0, 200, 2))
    assert next(counter) < 5000
    results.close()


def test_results_may_come_as_they_are_ready(pool: Executor) -> None:
    results = pool.map(async_calls.nap, [0.5, 0], ["slow", "quick"], ordered=False)

    assert list(results) == ["quick", "slow"]


def test_chunks_are_refused(pool: Executor) -> None:
    with pytest.raises(UsageError, match="coroutine"):
        pool.map(async_calls.double, [1], chunksize=2)
