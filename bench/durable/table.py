"""Table: a report as lines of text. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from durable.goals import Judgement, judge
from durable.sides import OURS
from local.report import Cell, Line, Report
from local.table import number

_NAME, _UNIT, _COLUMN = 36, 7, 15


def table(
    report: Report,
    *,
    ours: Sequence[str] = OURS,
    judged: Callable[[Report], Iterable[Judgement]] = judge,
) -> Iterator[str]:
    """Yield the lines: settings, sides, medians, ratios, goals.

    Args:
        report: What was measured.
        ours: The sides that are compared with all others.
        judged: Judges the goals.
    """
    yield " · ".join(f"{name} {value}" for name, value in report.settings.items())
    for name, text in report.sides.items():
        yield f"{name:<14} {text}"
    if report.missing:
        yield f"not there: {', '.join(report.missing)}"
    sides = [*report.sides]
    yield from _part("median of the rounds", sides, report.lines, lambda cell: cell.median)
    if any(cell.rounds > 1 for line in report.lines for cell in line.cells.values()):
        yield from _part("slowest round", sides, report.lines, lambda cell: cell.slowest)
    for one in (name for name in sides if name in ours):
        yield from _ratios(one, [name for name in sides if name not in ours], report.lines)
    yield from _goals(judged(report))
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


def _goals(judged: Iterable[Judgement]) -> Iterator[str]:
    judgements = [*judged]
    if judgements:
        yield ""
        yield _row("goals of the design", "", ["goal", "seen"])
    for one in judgements:
        verdict = "reached" if one.is_reached else "not reached"
        yield f"{_row(one.text, '', [one.wanted, one.seen])}  {verdict}"


def _row(name: str, unit: str, cells: Sequence[str]) -> str:
    return f"{name:{_NAME}} {unit:{_UNIT}}" + "".join(f"{text:>{_COLUMN}}" for text in cells)
