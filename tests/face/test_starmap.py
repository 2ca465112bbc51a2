"""Durable maps whose items are argument lists, and keyword arguments that all jobs share."""

import pytest

from face.jobs import add, square
from lightwork.durable.executor import DurableExecutor

pytestmark = pytest.mark.process


def test_each_item_holds_the_arguments_of_a_job(shared: DurableExecutor) -> None:
    assert list(shared.starmap(add, [(1, 2), [3], (4, 5)])) == [3, 3, 9]


def test_keyword_arguments_are_the_same_for_all_jobs(shared: DurableExecutor) -> None:
    assert list(shared.map(add, [1, 2, 3], kwargs={"b": 10})) == [11, 12, 13]
    assert list(shared.starmap(add, [(1,), (2,)], kwargs={"b": 10})) == [11, 12]


def test_a_key_means_the_same_jobs_however_the_arguments_were_given(
    shared: DurableExecutor,
) -> None:
    list(shared.map(square, [1, 2, 3], key="squares"))
    before = shared.store.summary().states

    again = list(shared.starmap(square, [(1,), (2,), (3,)], key="squares"))

    assert again == [1, 4, 9]
    assert shared.store.summary().states == before


def test_other_keyword_arguments_are_other_jobs(shared: DurableExecutor) -> None:
    first = list(shared.map(add, [1, 2], kwargs={"b": 1}, key="sums"))
    second = list(shared.map(add, [1, 2], kwargs={"b": 2}, key="sums"))

    assert (first, second) == ([2, 3], [3, 4])
