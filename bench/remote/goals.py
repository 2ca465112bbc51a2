"""Goals: what the design wants of a store behind a server, judged by a report. Pure."""

from collections.abc import Iterator

from durable.goals import Judgement
from local.report import Report
from local.table import number

IDLE = "idle, submit to outcome, median"
CROWD = "500 idle workers, polls and heartbeats"
# Figure, ours, another, by how many times.
_RATIOS = (
    ("drain", "http SQLite", "direct SQLite", 0.6),
    ("drain", "http PG", "direct PG", 0.6),
    ("drain", "http SQLite", "BaseManager", 3.0),
    ("drain", "http PG", "BaseManager", 3.0),
)
# Figure, ours, at most, of what.
_LIMITS = (
    (IDLE, "http SQLite", 3.0, "ms"),
    (CROWD, "http SQLite", 5.0, "%"),
    (CROWD, "http PG", 5.0, "%"),
)


def judge(report: Report) -> Iterator[Judgement]:
    """Yield each goal of which enough was measured."""
    lines = {line.figure.name: line for line in report.lines}
    for name, ours, other, wanted in _RATIOS:
        line = lines.get(name)
        if line is not None and (ratio := line.ratio(ours, other)) is not None:
            text = f"{name}, {ours} / {other}"
            yield Judgement(text, f">= {wanted:g}", number(ratio), ratio >= wanted)
    for name, ours, most, unit in _LIMITS:
        line = lines.get(name)
        if line is not None and ours in line.cells:
            seen = line.cells[ours].median
            yield Judgement(
                f"{ours}: {name}"[:38], f"<= {most:g} {unit}", number(seen), seen <= most
            )
