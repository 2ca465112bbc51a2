"""Goals: what the design asks of lightwork, and whether this run reached it. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from local.report import OURS, Line, Report


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on one figure of a side: on its value, or (`against`) on how many times better it is."""

    figure: str
    bound: float
    against: str = ""
    side: str = OURS


# What a program gains, or at least does not lose, that changes one import.
OUR_POOL = "lw.Pool"
_ROWS_OF_POOLS = (
    *("submit and result", "round trip, median", "map of tiny items", "map, chunk size 1"),
    *("map of 1,000 tiny items", "map of 10,000 tiny items"),
    *("map, chunk size 1, of __main__", "100 MiB array in", "100 MiB array in and out"),
    *("100 MiB of bytes in", "100 MiB of bytes out"),
    *("mixed durations, submit", "mixed durations, map"),
)

# By the names of figures as a run with default sizes has them: with others it is not judged.
GOALS: Sequence[Goal] = (
    Goal("submit and result", 2.5, "Pool"),
    Goal("submit and result", 8, "PPE"),
    Goal("round trip, median", 1 / 0.6, "Pool"),
    Goal("map of tiny items", 1.0, "Pool"),
    Goal("map, chunk size 1", 2, "Pool"),
    Goal("100 MiB array in and out", 2),
    Goal("mixed durations, submit", 1.1),
    Goal("mixed durations, map", 1.1),
    Goal("call cost, 256 to 2 children", 1.5),
    Goal("pool made to first result", 60),
    Goal("private memory of an idle child", 6),
    Goal("system calls per call, loaded", 2),
    *(Goal(name, 1.0, "Pool", OUR_POOL) for name in _ROWS_OF_POOLS),
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A goal beside what was seen."""

    text: str
    wanted: str
    seen: str
    is_reached: bool


def judge(report: Report, goals: Sequence[Goal] = GOALS) -> Iterator[Judgement]:
    """Return every goal about which this run can say something."""
    for goal in goals:
        for line in report.lines:
            if line.figure.name == goal.figure and (judgement := _judge(goal, line)):
                yield judgement


def _judge(goal: Goal, line: Line) -> Judgement | None:
    if goal.against:
        ratio = line.ratio(goal.side, goal.against)
        if ratio is None:
            return None
        whose = "" if goal.side == OURS else f"{goal.side}, "
        text = f"{whose}{line.figure.name}, times {goal.against}"
        return Judgement(text, f">= {goal.bound:.2f}", f"{ratio:.2f}", ratio >= goal.bound)
    if goal.side not in line.cells:
        return None
    seen = line.cells[goal.side].median
    more = line.figure.more_is_better
    return Judgement(
        f"{line.figure.name}, {line.figure.unit}",
        f"{'>=' if more else '<='} {goal.bound:.2f}",
        f"{seen:.2f}",
        seen >= goal.bound if more else seen <= goal.bound,
    )
