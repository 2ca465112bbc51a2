"""The plot is well-formed, and what was measured is in it."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from made_up import inline, measured, row

from lightwork.tune.advise import advise
from lightwork.tune.figures import Measurements, Row
from lightwork.tune.plot import draw

SVG = "{http://www.w3.org/2000/svg}"
FOUND = measured(
    inline(),
    row("threads:1", 0.9),
    row("threads:4", 1.0),
    row("processes:1", 0.9),
    row("processes:4", 3.1),
    row("processes:4", 1.4, chunksize=1),
    row("processes:4", 2.9, chunksize=100),
)


def drawn(found: Measurements) -> ET.Element:
    return ET.fromstring(draw(found, advise(found)))


def texts(root: ET.Element) -> list[str]:
    return [text.text or "" for text in root.iter(f"{SVG}text")]


def test_axes_and_lines_are_named() -> None:
    found = texts(drawn(FOUND))

    assert {"workers", "speed-up over inline", "threads", "processes", "ideal"} <= set(found)
    assert "chunk size, processes:4" in found


def test_every_row_has_its_mark_with_its_figures() -> None:
    root = drawn(FOUND)

    titles = [title.text or "" for title in root.iter(f"{SVG}title")][1:]

    labels = [row.setup.label for row in FOUND.rows if row.setup.kind != "inline"]
    # The pool whose chunks are compared stands in both halves.
    assert sorted(title.partition(": ")[0] for title in titles) == sorted([*labels, "processes:4"])


def test_more_is_drawn_higher() -> None:
    root = drawn(FOUND)

    heights = {
        (group.findtext(f"{SVG}title") or "").split(" ")[0]: float(mark.get("y", "0"))
        for group in root.iter(f"{SVG}g")
        for mark in group.iter(f"{SVG}rect")
        if mark.get("width") == "8"
    }
    assert heights["processes:4:"] < heights["processes:1:"]


def test_colours_follow_the_readers_setting() -> None:
    style = drawn(FOUND).findtext(f"{SVG}style") or ""

    assert "prefers-color-scheme: dark" in style


def test_nothing_lies_outside() -> None:
    root = drawn(FOUND)
    _, _, width, height = map(float, (root.get("viewBox") or "").split())

    points = [
        tuple(map(float, point.split(",")))
        for line in root.iter(f"{SVG}polyline")
        for point in (line.get("points") or "").split()
    ]
    assert points
    assert all(0 < x < width and 0 < y < height for x, y in points)


def test_without_chunk_sizes_there_is_one_set_of_axes() -> None:
    found = replace(FOUND, rows=tuple(row for row in FOUND.rows if row.setup.chunksize == "auto"))

    assert not [text for text in texts(drawn(found)) if text.startswith("chunk size")]


@pytest.mark.parametrize("name", ["m:<lambda>&", 'm:"x"', "m:\x00\x1b[31m", "m:" + "x" * 500])
def test_any_name_gives_a_well_formed_document(name: str) -> None:
    root = drawn(replace(FOUND, function=name))

    assert root.tag == f"{SVG}svg"


@pytest.mark.parametrize("rows", [(), (inline(),), (inline(), row("threads:2", 1e-5))])
def test_few_or_tiny_figures_can_be_drawn(rows: tuple[Row, ...]) -> None:
    found = replace(FOUND, rows=rows)

    text = draw(found, advise(found))

    assert not re.search(r"\bnan\b|\binf\b", text)
    assert ET.fromstring(text).tag == f"{SVG}svg"
