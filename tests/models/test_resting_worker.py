"""A worker acts inside of its lease alone, however it is renewed; and mistakes that the walk must find."""

import pytest
from resting_worker import Mistakes, RestingWorker

from explore import explore


def test_no_worker_acts_outside_of_its_lease() -> None:
    explored = explore(RestingWorker())

    assert explored.is_whole
    assert explored.wrong is None, explored.wrong.told()


@pytest.mark.parametrize(
    "mistake",
    [
        Mistakes(counts_from_answers=True),
        Mistakes(works_as_it_rests=True),
        Mistakes(rests_with_work=True),
        Mistakes(rests_on=True),
    ],
    ids=str,
)
def test_mistakes_are_found(mistake: Mistakes) -> None:
    assert explore(RestingWorker(mistake)).wrong
