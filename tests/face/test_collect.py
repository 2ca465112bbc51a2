"""Collect: results of futures in order or as they come, never too many ahead."""

import gc
import itertools
from concurrent.futures import Future
from typing import Any

import pytest

from lightwork.durable.collect import collect
from lightwork.errors import JobCancelled
from lightwork.pool.map.options import MapOptions
from lightwork.pool.map.results import Results


class Source:
    """Gives futures, remembers them and what was abandoned."""

    def __init__(self, count: float = float("inf"), *, done: bool = True) -> None:
        self.left = count
        self.is_done = done
        self.made: list[Future[int]] = []
        self.abandoned: list[Future[int]] = []
        self.asked: list[int] = []

    def take(self, count: int) -> list[None]:
        self.asked.append(count)
        taken = [None] * int(min(count, self.left))
        self.left -= len(taken)
        return taken

    def submit(self, items: list[None]) -> list[Future[int]]:
        taken = [Future[int]() for _ in items]
        for future in taken:
            if self.is_done:
                future.set_result(len(self.made))
            self.made.append(future)
        return taken

    def collect(self, *, ahead: int = 10, batch: int = 4, **options: Any) -> Results[Any]:
        results, _ = collect(
            self.take,
            self.submit,
            MapOptions(**options),
            ahead=ahead,
            batch=batch,
            abandon=self.abandoned.extend,
            abandon_soon=self.abandoned.extend,
        )
        return results


def test_work_starts_before_the_first_result_is_asked_for() -> None:
    source = Source(3)

    source.collect()

    assert len(source.made) == 3


def test_results_come_in_the_order_of_the_calls() -> None:
    source = Source(3, done=False)
    results = source.collect()
    for number in (2, 0, 1):
        source.made[number].set_result(number)

    assert list(results) == [0, 1, 2]


def test_results_come_as_they_are_ready_where_order_does_not_matter() -> None:
    source = Source(3, done=False)
    results = source.collect(ordered=False)
    for number in (2, 0, 1):
        source.made[number].set_result(number)

    assert list(results) == [2, 0, 1]


@pytest.mark.parametrize(("ahead", "batch"), [(1, 1000), (5, 1000), (10, 4), (7, 7)])
def test_never_more_than_the_bound_are_under_way(ahead: int, batch: int) -> None:
    source = Source()
    results = source.collect(ahead=ahead, batch=batch)
    most = len(source.made)

    for number, _ in enumerate(itertools.islice(results, 40)):
        most = max(most, len(source.made) - number)

    assert most <= ahead


def test_batches_are_full_where_there_is_room() -> None:
    source = Source()

    list(itertools.islice(source.collect(ahead=10, batch=5), 40))

    assert set(source.asked) == {5}


def test_an_error_is_raised_in_its_place() -> None:
    source = Source(2, done=False)
    results = source.collect()
    source.made[0].set_result(0)
    source.made[1].set_exception(OSError("gone"))

    assert next(results) == 0
    with pytest.raises(OSError, match="gone"):
        next(results)


def test_an_error_is_yielded_in_its_place_on_request() -> None:
    source = Source(2, done=False)
    results = source.collect(errors="return")
    error = OSError("gone")
    source.made[0].set_exception(error)
    source.made[1].set_result(1)

    assert list(results) == [error, 1]


def test_a_cancelled_job_is_an_error_of_its_own() -> None:
    source = Source(1, done=False)
    results = source.collect()
    source.made[0].cancel()

    with pytest.raises(JobCancelled):
        next(results)


@pytest.mark.parametrize("ordered", [True, False])
def test_a_timeout_ends_the_waiting(ordered: bool) -> None:
    results = Source(1, done=False).collect(timeout=0.01, ordered=ordered)

    with pytest.raises(TimeoutError):
        next(results)


def test_what_is_ready_is_not_abandoned() -> None:
    source = Source()
    results = source.collect()
    next(results)

    results.close()

    assert source.abandoned == []


def test_what_is_left_is_abandoned_when_the_iterator_is_closed() -> None:
    source = Source(done=False)
    results = source.collect(ahead=4)
    source.made[0].set_result(0)
    next(results)

    results.close()

    assert source.abandoned == source.made[1:]


def test_what_is_left_is_abandoned_after_an_error() -> None:
    source = Source(3, done=False)
    results = source.collect()
    source.made[0].set_exception(OSError())

    with pytest.raises(OSError):
        next(results)

    assert source.abandoned == source.made[1:]


def test_nothing_is_abandoned_at_the_end() -> None:
    source = Source(5)

    list(source.collect())

    assert source.abandoned == []


def test_an_iterator_that_was_never_used_abandons_nothing() -> None:
    source = Source(5)

    source.collect()
    gc.collect()

    assert source.abandoned == []


def test_an_iterator_that_is_closed_unused_abandons_what_is_left() -> None:
    source = Source(5, done=False)

    source.collect().close()

    assert source.abandoned == source.made
