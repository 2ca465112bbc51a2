"""No job is left and no drain unheard while a worker waits, in every order; and mistakes that the walk must find."""

import pytest
from told_workers import Mistakes, ToldWorkers

from explore import explore


# Who is the only one and ends leaves jobs to nobody.
@pytest.mark.parametrize(
    ("count", "submits", "drains"), [(1, 2, 0), (2, 2, 0), (3, 1, 0), (2, 1, 1)]
)
def test_no_job_is_left_while_somebody_waits(count: int, submits: int, drains: int) -> None:
    explored = explore(ToldWorkers(count, submits=submits, drains=drains))

    assert explored.is_whole
    assert explored.wrong is None, explored.wrong.told()


def test_of_several_workers_one_may_be_deaf() -> None:
    explored = explore(ToldWorkers(2, submits=2, deaf=1))

    assert explored.is_whole
    assert explored.wrong is None, explored.wrong.told()


def test_of_a_submit_one_is_told() -> None:
    explored = explore(ToldWorkers(3, is_quick=True))

    assert explored.is_whole
    assert explored.wrong is None, explored.wrong.told()


@pytest.mark.parametrize(
    "model",
    [
        ToldWorkers(2, submits=2, deaf=1, mistakes=Mistakes(parks_unseen=True)),
        ToldWorkers(2, submits=1, deaf=1, mistakes=Mistakes(drops_what_was_hinted=True)),
        ToldWorkers(2, submits=2, deaf=1, mistakes=Mistakes(misses_changes=True)),
        ToldWorkers(2, submits=2, drains=1, mistakes=Mistakes(forgets_who_is_to_end=True)),
        ToldWorkers(2, is_quick=True, mistakes=Mistakes(hints_nothing_known=True)),
        ToldWorkers(2, is_quick=True, mistakes=Mistakes(hints_what_was_told=True)),
        ToldWorkers(2, submits=2, deaf=1, mistakes=Mistakes(looks_for_those_before_alone=True)),
        ToldWorkers(2, submits=2, mistakes=Mistakes(looks_before_it_is_over=True)),
    ],
    ids=lambda model: str(model.mistakes),
)
def test_mistakes_are_found(model: ToldWorkers) -> None:
    assert explore(model).wrong
