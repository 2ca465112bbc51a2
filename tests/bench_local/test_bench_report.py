"""Medians, turns, ratios and goals are computed as the tables say."""

import pytest
from reports import RATE, REPORT, SETTINGS, TIME, line

from local.extras import total_of_strace
from local.goals import judge
from local.report import Cell, Report, cell, rotated
from local.rows import ideal
from local.seats import TurnFailedError


def test_the_slowest_round_of_a_rate_is_the_lowest() -> None:
    assert cell(RATE, [3.0, 1.0, 8.0]) == Cell(3.0, 1.0, 3)


def test_the_slowest_round_of_a_time_is_the_highest() -> None:
    assert cell(TIME, [3.0, 1.0, 8.0]) == Cell(3.0, 8.0, 3)


def test_each_round_begins_with_another_side() -> None:
    orders = [rotated(["a", "b", "c"], number) for number in range(4)]

    assert orders == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]


def test_nobody_can_take_turns() -> None:
    assert rotated([], 3) == []


def test_a_higher_rate_and_a_shorter_time_are_better() -> None:
    both = {"lightwork": 300.0, "Pool": 100.0}

    ratios = [line(figure, both).ratio("lightwork", "Pool") for figure in (RATE, TIME)]

    assert ratios == [3.0, pytest.approx(1 / 3)]


def test_there_is_no_ratio_to_a_side_that_failed() -> None:
    assert line(RATE, {"lightwork": 1.0}).ratio("lightwork", "Pool") is None


def test_goals_say_what_was_reached() -> None:
    judged = {one.text: one.is_reached for one in judge(REPORT)}

    assert judged == {
        "submit and result, times Pool": True,
        "round trip, median, times Pool": False,
    }


def test_no_goal_is_judged_without_lightwork() -> None:
    report = Report(settings=SETTINGS, sides={}, lines=[line(RATE, {"Pool": 1.0})])

    assert [*judge(report)] == []


def test_many_short_calls_are_shared_equally() -> None:
    assert ideal([1.0] * 10, children=2) == 5.0


def test_no_makespan_is_shorter_than_the_longest_call() -> None:
    assert ideal([9.0, 1.0], children=2) == 9.0


STRACE = """\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000600           6       100         2 read
 40.00    0.000400           4       100           write
------ ----------- ----------- --------- --------- ----------------
100.00    0.001000           5       200         2 total
"""


def test_the_total_of_strace_is_its_calls_not_its_errors() -> None:
    assert total_of_strace(STRACE) == 200


def test_a_summary_without_errors_has_a_total_too() -> None:
    assert total_of_strace(STRACE.replace("2 total", "  total")) == 200


def test_no_summary_is_an_error_not_a_zero() -> None:
    with pytest.raises(TurnFailedError, match="expected a summary"):
        total_of_strace("strace: attach: Operation not permitted")
