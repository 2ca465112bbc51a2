"""What was measured is in the table and in the plot."""

import re
from xml.etree import ElementTree as ET

import pytest
from reports import REPORT, SETTINGS

from local.plot import decades, draw
from local.report import Report
from local.table import number, table

SVG = "{http://www.w3.org/2000/svg}"


def test_the_table_has_every_figure_of_every_side() -> None:
    text = "\n".join(table(REPORT))

    assert re.search(r"submit and result +calls/s +90,000 +30,000 +-\n", text)
    assert re.search(r"round trip, median +us +120\.0 +150\.0 +10,000\n", text)


def test_the_table_says_how_many_times_better_lightwork_is() -> None:
    text = "\n".join(table(REPORT))

    assert re.search(r"round trip, median +1\.25 +83\.33\n", text)


def test_the_table_names_who_is_missing_and_who_failed() -> None:
    lines = [*table(REPORT)]

    assert "Dask      not installed" in lines
    assert "failed: mpire in round trip: no answer" in lines
    assert "system calls: strace not installed" in lines


def test_a_report_of_nothing_has_a_table() -> None:
    assert [*table(Report(settings=SETTINGS, sides={}))]


@pytest.mark.parametrize(
    ("value", "text"), [(0.04, "0.04"), (99.994, "99.99"), (512.42, "512.4"), (1e6, "1,000,000")]
)
def test_numbers_have_the_digits_worth_reading(value: float, text: str) -> None:
    assert number(value) == text


def test_the_plot_is_well_formed_and_names_figures_and_sides() -> None:
    root = ET.fromstring(draw(REPORT))

    texts = {text.text for text in root.iter(f"{SVG}text")}
    assert {"submit and result", "round trip, median", "lightwork", "joblib"} <= texts


def test_every_mark_says_its_figure() -> None:
    root = ET.fromstring(draw(REPORT))

    titles = {title.text for group in root.iter(f"{SVG}g") for title in group.iter(f"{SVG}title")}
    assert "lightwork: 90,000 calls/s, 3.00 times Pool" in titles
    assert len(titles) == 5


def test_better_is_drawn_further_right() -> None:
    root = ET.fromstring(draw(REPORT))

    places = {
        (group.findtext(f"{SVG}title") or "").partition(",")[0]: float(found[1])
        for group in root.iter(f"{SVG}g")
        if (found := re.match(r"translate\((\S+) ", group.get("transform", "")))
    }
    assert places["joblib: 10"] < places["Pool: 150.0 us"] < places["lightwork: 120.0 us"]


def test_a_report_without_pool_is_drawn_all_the_same() -> None:
    assert ET.fromstring(draw(Report(settings=SETTINGS, sides={}))).tag == f"{SVG}svg"


def test_the_scale_holds_every_ratio() -> None:
    assert decades(REPORT.lines) == (-2, 1)
