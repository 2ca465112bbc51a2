"""Sides take turns, and a side that fails takes nobody along."""

import argparse
from collections.abc import Sequence

import pytest

from local.extras import Subject
from local.goals import GOALS
from local.peers import SIDES
from local.report import Failure, Figure
from local.rows import Work
from local.run import (
    is_installed,
    make_lines,
    make_parser,
    make_setting,
    subjects,
    take_turns,
)
from local.seats import Seats, TurnFailedError

FIGURE = Figure("number of the turn", "turns")


class Turns:
    """Counts the turns of all sides; some sides fail in some turn."""

    def __init__(self, **fails_at: int) -> None:
        self.order: list[str] = []
        self._fails_at = fails_at

    def __call__(self, side: str) -> Sequence[float]:
        self.order.append(side)
        if self.order.count(side) == self._fails_at.get(side):
            raise TurnFailedError("it is tired")
        return [float(len(self.order))]


def subject(turns: Turns, rounds: int) -> Subject:
    return Subject(name="counting", figures=[FIGURE], turn=turns, rounds=rounds)


def options(*arguments: str) -> argparse.Namespace:
    return make_parser().parse_args(arguments)


def test_sides_alternate() -> None:
    turns = Turns()

    take_turns(subject(turns, 2), ["a", "b"])

    assert turns.order == ["a", "b", "b", "a", "a", "b"]


def test_the_first_round_is_not_counted() -> None:
    rounds, _ = take_turns(subject(Turns(), 2), ["a"])

    assert rounds == {"a": [[2.0], [3.0]]}


def test_a_side_that_fails_is_named_and_left_out() -> None:
    turns = Turns(b=2)

    rounds, failures = take_turns(subject(turns, 2), ["a", "b"])

    assert failures == [Failure("counting", "b", "it is tired")]
    assert list(rounds) == ["a"]
    assert turns.order.count("b") == 2


def test_a_line_has_the_rounds_of_each_side() -> None:
    (line,) = make_lines([FIGURE], {"a": [[1.0], [5.0], [3.0]]})

    assert (line.cells["a"].median, line.cells["a"].rounds) == (3.0, 3)


def test_every_side_says_how_it_is_used() -> None:
    assert all(side.setting and side.library for side in SIDES.values())
    assert [*SIDES][:3] == ["lightwork", "Pool", "PPE"]


@pytest.mark.parametrize("side", ["lightwork", "Pool", "PPE"])
def test_what_needs_no_installation_is_there(side: str) -> None:
    assert is_installed(side)


def test_every_goal_is_about_something_that_is_measured() -> None:
    setting = make_setting(options())

    every = subjects(setting, Seats(setting.work))

    names = {figure.name for subject in every for figure in subject.figures}
    assert {goal.figure for goal in GOALS} <= names


def test_peers_are_chosen_by_name_and_lightwork_is_always_there() -> None:
    setting = make_setting(options("--peers", "dask,pool"))

    assert setting.sides == ["lightwork", "Dask", "Pool"]


def test_an_unknown_peer_is_refused_with_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options("--peers", "celery")

    assert "seen 'celery'" in capsys.readouterr().err


def test_a_slow_side_does_a_part_of_the_work() -> None:
    side = SIDES["Dask"].__new__(SIDES["Dask"])

    work = Work(calls=20_000, items=1_000_000).of(side)

    assert (work.calls, work.items, work.trips) == (1_000, 100_000, 100)


@pytest.mark.process
def test_a_side_that_cannot_be_opened_says_why() -> None:
    seats = Seats(Work())

    with pytest.raises(TurnFailedError, match="KeyError: 'nobody'"):
        seats.ask("nobody", 2, "submit")
