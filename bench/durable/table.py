"""Table: a report as lines of text. Pure."""

from collections.abc import Callable, Iterator, Sequence

from durable.goals import judge
from durable.sides import SIDES
from local.report import Cell, Line, Report
from local.table import number

_NAME, _UNIT, _COLUMN = 36, 7, 15


def table(report: Report) -> Iterator[str]:
    """Yield the lines: settings, sides, medians, ratios, goals."""
    yield " · ".join(f"{name} {value}" for name, value in report.settings.items())
    for name, text in report.sides.items():
        yield f"{name:<14} {text}"
    if report.missing:
        yield f"not there: {', '.join(report.missing)}"
    sides = [*report.sides]
    yield from _part("median of the rounds", sides, report.lines, lambda cell: cell.median)
    if any(cell.rounds > 1 for line in report.lines for cell in line.cells.values()):
        yield from _part("slowest round", sides, report.lines, lambda cell: cell.slowest)
    for ours in (name for name in sides if SIDES[name].is_ours):
        yield from _ratios(ours, [name for name in sides if not SIDES[name].is_ours], report.lines)
    yield from _goals(report)
    for failure in report.failures:
        yield f"failed: {failure.side} in {failure.row}: {failure.problem}"
    yield from report.notes


def _part(
    title: str, sides: Sequence[str], lines: Sequence[Line], look: Callable[[Cell], float]
) -> Iterator[str]:
    yield ""
    yield _row(title, "", sides)
    for line in lines:
        cells = [number(look(line.cells[side])) if side in line.cells else "-" for side in sides]
        yield _row(line.figure.name, line.figure.unit, cells)


def _ratios(ours: str, others: Sequence[str], lines: Sequence[Line]) -> Iterator[str]:
    if not others:
        return
    yield ""
    yield _row(f"{ours} is so many times better than", "", others)
    for line in lines:
        ratios = [line.ratio(ours, side) for side in others]
        if any(ratio is not None for ratio in ratios):
            cells = ["-" if ratio is None else number(ratio) for ratio in ratios]
            yield _row(line.figure.name, "", cells)


def _goals(report: Report) -> Iterator[str]:
    judgements = [*judge(report)]
    if judgements:
        yield ""
        yield _row("goals of the design", "", ["goal", "seen"])
    for one in judgements:
        verdict = "reached" if one.is_reached else "not reached"
        yield f"{_row(one.text, '', [one.wanted, one.seen])}  {verdict}"


def _row(name: str, unit: str, cells: Sequence[str]) -> str:
    return f"{name:{_NAME}} {unit:{_UNIT}}" + "".join(f"{text:>{_COLUMN}}" for text in cells)
