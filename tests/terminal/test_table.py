"""Who is cut in a table, and how far."""

import pytest

from lightwork.terminal.table import Column, fit_widths

WHOLE = Column(title="ID", is_whole=True)
CUT = Column(title="NOTE")
NARROW = Column(title="ARGUMENTS", most=10)


def test_what_fits_is_not_cut() -> None:
    assert fit_widths([WHOLE, CUT], [5, 20], 80) == [5, 20]


def test_the_last_takes_what_is_left() -> None:
    assert fit_widths([WHOLE, CUT], [5, 2000], 80) == [5, 80 - 5 - 2]


def test_a_modest_column_is_whole_beside_a_greedy_one() -> None:
    assert fit_widths([CUT, CUT], [2000, 12], 80) == [80 - 12 - 2, 12]


def test_greedy_columns_share() -> None:
    assert fit_widths([CUT, CUT], [500, 2000], 80) == [39, 39]


def test_a_column_is_no_wider_than_it_may_be() -> None:
    assert fit_widths([NARROW, CUT], [500, 20], 80) == [10, 20]


@pytest.mark.parametrize("width", [1, 10, 30])
def test_what_is_whole_stays_whole_on_the_narrowest_terminal(width: int) -> None:
    widths = fit_widths([WHOLE, CUT, CUT], [36, 500, 500], width)

    assert widths[0] == 36
    assert min(widths) > 0
