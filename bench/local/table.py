"""Table: the report as text, for a terminal and for a code block of bench/results. Pure."""

from collections.abc import Callable, Iterator, Sequence

from local.goals import GOALS, Goal, judge
from local.report import OURS, Cell, Line, Report

NAME = 34
UNIT = 8
COLUMN = 11


def table(report: Report, goals: Sequence[Goal] = GOALS) -> Iterator[str]:
    """Return all lines that are printed."""
    yield " · ".join(f"{name} {value}" for name, value in report.settings.items())
    for side, text in report.sides.items():
        yield f"{side:10}{text}"
    for side in report.missing:
        yield f"{side:10}not installed"
    sides = [*report.sides]
    yield from _part("median of the rounds", sides, report.lines, lambda cell: cell.median)
    if any(cell.rounds > 1 for line in report.lines for cell in line.cells.values()):
        yield from _part("slowest round", sides, report.lines, lambda cell: cell.slowest)
    yield from _ratios(sides, report.lines)
    yield from _goals(report, goals)
    for failure in report.failures:
        yield f"failed: {failure.side} in {failure.row}: {failure.problem}"
    yield from report.notes


def number(value: float) -> str:
    """Return a number with as many digits as are worth reading."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 100 else f"{value:.2f}"


def _part(
    title: str, sides: Sequence[str], lines: Sequence[Line], look: Callable[[Cell], float]
) -> Iterator[str]:
    yield ""
    yield _row(title, "", sides)
    for line in lines:
        cells = [number(look(line.cells[side])) if side in line.cells else "-" for side in sides]
        yield _row(line.figure.name, line.figure.unit, cells)


def _ratios(sides: Sequence[str], lines: Sequence[Line]) -> Iterator[str]:
    others = [side for side in sides if side != OURS]
    if not others:
        return
    yield ""
    yield _row(f"{OURS} is so many times better than", "", others)
    for line in lines:
        ratios = [line.ratio(OURS, side) for side in others]
        if any(ratio is not None for ratio in ratios):
            cells = ["-" if ratio is None else number(ratio) for ratio in ratios]
            yield _row(line.figure.name, "", cells)


def _goals(report: Report, goals: Sequence[Goal]) -> Iterator[str]:
    judgements = [*judge(report, goals)]
    if not judgements:
        return
    yield ""
    yield _row("goals of the design", "", ["goal", "seen"])
    for one in judgements:
        verdict = "reached" if one.is_reached else "not reached"
        yield f"{_row(one.text, '', [one.wanted, one.seen])}  {verdict}"


def _row(name: str, unit: str, cells: Sequence[str]) -> str:
    return f"{name:{NAME}} {unit:{UNIT}}" + "".join(f"{text:>{COLUMN}}" for text in cells)
