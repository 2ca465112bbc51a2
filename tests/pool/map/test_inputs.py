"""What a map is given, and how its items are taken."""

from collections.abc import Sequence
from typing import Any

import pytest

from lightwork.pool.map.inputs import take_calls, take_inputs, take_items


@pytest.mark.parametrize("given", [range(2, 24, 2), [*range(2, 24, 2)]])
def test_part_of_a_list_or_range_is_one_again(given: Sequence[int]) -> None:
    source, *_ = take_inputs([given], is_lazy=False)

    parts = [take_items(source, 4) for _ in range(4)]

    assert parts == [given[:4], given[4:8], given[8:], given[:0]]


@pytest.mark.parametrize("given", [range(9), [*range(9)], (*range(9),), {*range(9)}])
@pytest.mark.parametrize("is_lazy", [False, True])
def test_items_that_were_taken_do_not_come_again(given: Any, is_lazy: bool) -> None:
    source, *_ = take_inputs([given], is_lazy=is_lazy)

    assert [*take_items(source, 4)] == [0, 1, 2, 3]
    assert [*source] == [4, 5, 6, 7, 8]


def test_a_list_that_changes_later_is_taken_as_it_was() -> None:
    given = [1, 2, 3]
    source, *_ = take_inputs([given], is_lazy=False)

    given.clear()

    assert take_items(source, 9) == [1, 2, 3]


def test_calls_are_taken_as_tuples_of_arguments() -> None:
    source, *_ = take_calls([[[1, 2], "ab"]], is_lazy=False)

    assert take_items(source, 9) == [(1, 2), ("a", "b")]
