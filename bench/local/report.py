"""Report: what was measured, as data; medians and ratios. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

OURS = "lightwork"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: what is measured, and which way is better."""

    name: str
    unit: str
    more_is_better: bool = True


@dataclass(frozen=True, slots=True)
class Cell:
    """What one side reached: the middle one of its rounds, and its worst."""

    median: float
    slowest: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Line:
    """A figure with what each side reached; a side that failed or took no part is not there."""

    figure: Figure
    cells: Mapping[str, Cell]

    def ratio(self, side: str, other: str) -> float | None:
        """Return how many times better `side` is than `other`, if both are known."""
        mine, theirs = self.cells.get(side), self.cells.get(other)
        if mine is None or theirs is None or not (mine.median and theirs.median):
            return None
        if self.figure.more_is_better:
            return mine.median / theirs.median
        return theirs.median / mine.median


@dataclass(frozen=True, slots=True)
class Failure:
    """A side that did not do its work in a row, and what it said."""

    row: str
    side: str
    problem: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that is shown, as a table, as JSON or as a plot."""

    settings: Mapping[str, Any]
    # Who took part, how, and with which version.
    sides: Mapping[str, str]
    missing: Sequence[str] = ()
    lines: Sequence[Line] = ()
    failures: Sequence[Failure] = ()
    notes: Sequence[str] = field(default=())


def cell(figure: Figure, rounds: Sequence[float]) -> Cell:
    """Return the cell of a side from the figures of its counted rounds."""
    worst = min(rounds) if figure.more_is_better else max(rounds)
    return Cell(statistics.median(rounds), worst, len(rounds))


def rotated(sides: Sequence[str], number: int) -> list[str]:
    """Return the order of a round: everybody begins once, the neighbours stay the same."""
    start = number % len(sides) if sides else 0
    return [*sides[start:], *sides[:start]]
