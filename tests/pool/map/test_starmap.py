"""Maps whose items are argument lists, and keyword arguments that all calls share."""

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import starmap_calls

from lightwork.errors import UsageError
from lightwork.pool.executor.executor import Executor
from lightwork.pool.executor.inline import InlineExecutor
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor
from lightwork.tasks.task import task

pytestmark = pytest.mark.process


@pytest.fixture(params=["threads", "processes", "inline"])
def pool(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "inline":
        executor: Executor = InlineExecutor()
    else:
        executor = ThreadExecutor(2) if request.param == "threads" else ProcessExecutor(2)
    with executor:
        yield executor


@pytest.mark.parametrize("chunksize", [1, 7, "auto"])
def test_each_item_holds_the_arguments_of_a_call(pool: Executor, chunksize: Any) -> None:
    calls = [(n, 2) for n in range(100)]

    found = list(pool.starmap(starmap_calls.power, calls, chunksize=chunksize))

    assert found == [n * n for n in range(100)]


def test_arguments_may_come_in_any_iterable(pool: Executor) -> None:
    calls: list[Any] = [[], (1,), range(2), "abc", (n for n in range(4))]

    assert list(pool.starmap(starmap_calls.count_arguments, calls)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("chunksize", [1, 7, "auto"])
def test_keyword_arguments_are_the_same_for_all_calls(pool: Executor, chunksize: Any) -> None:
    expected = [n * n + 5 for n in range(100)]
    options: Any = {"chunksize": chunksize, "kwargs": {"plus": 5}}

    starred = pool.starmap(starmap_calls.power, [(n, 2) for n in range(100)], **options)
    zipped = pool.map(starmap_calls.power, range(100), [2] * 100, **options)
    single = pool.map(
        starmap_calls.power, range(100), chunksize=chunksize, kwargs={"exponent": 2, "plus": 5}
    )

    assert list(starred) == list(zipped) == list(single) == expected


def test_keyword_arguments_are_taken_as_they_were_at_the_call(pool: Executor) -> None:
    shared = {"exponent": 2}
    results = pool.map(starmap_calls.power, range(5), kwargs=shared, buffersize=1)
    shared["exponent"] = 3

    assert list(results) == [0, 1, 4, 9, 16]


def test_an_infinite_input_is_taken_as_results_are_used(pool: Executor) -> None:
    results = pool.starmap(starmap_calls.power, zip(itertools.count(), itertools.repeat(2)))

    assert list(itertools.islice(results, 5)) == [0, 1, 4, 9, 16]


def test_the_options_of_map_are_those_of_starmap(
    pool: Executor, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[Any] = [(2, 3), (2, None), (2, 5)]

    first, second, third = pool.starmap(
        starmap_calls.power, calls, errors="return", progress=True, buffersize=5, timeout=30
    )

    assert (first, third) == (8, 32)
    assert isinstance(second, TypeError)
    assert "power: 3 of 3 done" in capsys.readouterr().err


def test_an_option_that_is_none_is_refused(pool: Executor) -> None:
    with pytest.raises(TypeError, match="bufersize"):
        pool.starmap(starmap_calls.power, [], bufersize=3)  # type: ignore[call-overload]


def test_keyword_arguments_that_are_none_are_refused(pool: Executor) -> None:
    with pytest.raises(UsageError, match="kwargs must be a dict"):
        pool.map(starmap_calls.power, [1], kwargs=[1])  # type: ignore[call-overload]


def test_a_task_keeps_its_policy(pool: Executor) -> None:
    power = task(retries=1)(starmap_calls.power)

    assert list(pool.starmap(power, [(2, 3)], kwargs={"plus": 1})) == [9]


def test_results_can_be_waited_for_by_a_coroutine(pool: Executor) -> None:
    async def main() -> list[int]:
        calls = [(n, 2) for n in range(100)]
        return [one async for one in pool.starmap(starmap_calls.power, calls)]

    assert asyncio.run(main()) == [n * n for n in range(100)]


def test_functions_by_value_travel_with_their_keyword_arguments(pool: Executor) -> None:
    offset = 3

    found = pool.map(lambda n, times: n * times + offset, range(4), kwargs={"times": 2})

    assert list(found) == [3, 5, 7, 9]
