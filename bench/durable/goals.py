"""Goals: what the design wants of the durable side, judged by a report. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from local.report import Line, Report
from local.table import number

_PGQUEUER = ("PGQueuer 100", "PGQueuer 10")


@dataclass(frozen=True, slots=True)
class Judgement:
    """A goal, and what was seen."""

    text: str
    wanted: str
    seen: str
    is_reached: bool


# Figure, ours, the best of these, by how many times.
_RATIOS = (
    ("drain", "lw PostgreSQL", _PGQUEUER, 1.3),
    ("drain", "lw PostgreSQL", ("Celery",), 25.0),
    ("drain", "lw SQLite", ("Huey",), 5.0),
    ("drain", "lw SQLite", ("Huey fsync",), 10.0),
    ("submit many", "lw PostgreSQL", _PGQUEUER, 1.5),
    ("submit one by one", "lw PostgreSQL", _PGQUEUER, 1.0),
)
# Figure, another one of the same side, at least so much of it.
_SHARES = (
    ("drain, full store", "drain, empty store", 0.9),
    ("steady, kept in the last quarter", "steady, submitted", 0.8),
)
# Figure, ours, at most.
_LIMITS = (
    ("idle, submit to outcome, median", "lw SQLite", 1.5),
    ("idle, submit to outcome, 99 of 100", "lw SQLite", 5.0),
    ("idle, submit to outcome, median", "lw PostgreSQL", 1.5),
    ("idle, submit to outcome, 99 of 100", "lw PostgreSQL", 5.0),
)


def judge(report: Report) -> Iterator[Judgement]:
    """Yield each goal of which enough was measured."""
    lines = {line.figure.name: line for line in report.lines}
    for name, ours, others, wanted in _RATIOS:
        if (ratio := _least(lines.get(name), ours, others)) is not None:
            text = f"{name}, {ours} / {others[0].split()[0]}"
            text = f"{name}, {ours} / {others[0]}" if len(others) == 1 else f"{text}'s best"
            yield Judgement(text, f">= {wanted:g}", number(ratio), ratio >= wanted)
    for name, other, wanted in _SHARES:
        yield from _shares(lines.get(name), lines.get(other), wanted)
    for name, ours, most in _LIMITS:
        line = lines.get(name)
        if line is not None and ours in line.cells:
            seen = line.cells[ours].median
            text = f"{ours}: {name.removeprefix('idle, ')}"
            yield Judgement(text, f"<= {most:g} ms", number(seen), seen <= most)


def _shares(line: Line | None, other: Line | None, wanted: float) -> Iterator[Judgement]:
    if line is None or other is None:
        return
    for side, cell in line.cells.items():
        if side in other.cells and other.cells[side].median:
            share = cell.median / other.cells[side].median
            text = f"{side}: {line.figure.name}"
            yield Judgement(text, f">= {wanted:g}", number(share), share >= wanted)


def _least(line: Line | None, ours: str, others: tuple[str, ...]) -> float | None:
    if line is None:
        return None
    ratios = [ratio for one in others if (ratio := line.ratio(ours, one)) is not None]
    return min(ratios, default=None)
