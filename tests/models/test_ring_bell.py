"""Nobody sleeps at a ring's bell beside an item, whoever dies; and mistakes that the walk must find."""

import pytest
from ring_bell import BellModel, Bugs

from explore import explore


@pytest.mark.parametrize(("getters", "putters"), [(1, 2), (2, 1), (2, 2), (3, 2), (2, 3)])
@pytest.mark.parametrize("deaths", [0, 1, 2])
def test_nobody_sleeps_beside_an_item(getters: int, putters: int, deaths: int) -> None:
    explored = explore(BellModel(getters, putters, deaths))

    assert explored.is_whole
    assert explored.wrong is None, explored.wrong.told()


@pytest.mark.parametrize(
    ("mistake", "deaths"),
    [
        (Bugs(wants_after_look=True), 0),
        (Bugs(woken_does_not_want=True), 0),
        (Bugs(does_not_pass_on=True), 0),
        (Bugs(rings_before_zero=True), 0),
        (Bugs(nobody_mourns=True), 1),
    ],
    ids=str,
)
def test_mistakes_are_found(mistake: Bugs, deaths: int) -> None:
    assert explore(BellModel(3, 2, deaths, mistake)).wrong
