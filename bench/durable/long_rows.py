"""Long rows: what takes minutes to hours and is measured only when it is asked for. Pure.

Of lightwork alone, since each figure is held against another of the same side; see long_turns.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from local.report import Figure

# How often the memory of a worker is looked at.
LOOKS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How much there is to do; seat.py is given it as JSON.

    Attributes:
        jobs: That are drained, or in all; 0: what the row has by default.
        finished: Jobs that a full store has beside them.
        scheduled: And those that wait for their time.
        minutes: Of steady load.
        seconds: For which an idle worker is looked at.
    """

    jobs: int = 0
    finished: int = 1_000_000
    scheduled: int = 100_000
    minutes: float = 30.0
    seconds: float = 60.0


QUICK = Amounts(jobs=400, finished=2000, scheduled=500, minutes=0.05, seconds=1.0)
# Jobs, where nobody has said how many.
USUAL = {"full": 20_000, "steady": 20_000, "idle worker": 400, "memory": 500_000}
# Sides that measure a row, where nobody has said which: only PostgreSQL keeps dead rows for
# whoever has a transaction open.
SIDES_OF: Mapping[str, Sequence[str]] = {"steady": ["lw PostgreSQL"]}
NOTES = {
    "full": "full store: so many finished and scheduled jobs as said above, analyzed; the same store before, empty.",
    "steady": "steady: half of the peak is submitted while one transaction is held open; hot tables: ready, running, scheduled.",
    "idle worker": "idle worker: of one worker process with its children; of MariaDB all that it does.",
    "memory": "memory: resident, shared pages included; children: with their fork server.",
}


def figures(row: str, amounts: Amounts) -> Sequence[Figure]:
    """Return what a row gives, in the order in which its turn tells it."""
    if row == "memory":
        step = max((amounts.jobs or USUAL[row]) // LOOKS, 1)
        return [
            Figure(f"{who} after {step * look:,} jobs", "MB", more_is_better=False)
            for look in range(1, LOOKS + 1)
            for who in ("worker", "children")
        ]
    return _FIGURES[row]


def _less(name: str, unit: str) -> Figure:
    return Figure(name, unit, more_is_better=False)


_FIGURES = {
    "full": (
        Figure("drain, empty store", "jobs/s"),
        Figure("drain, full store", "jobs/s"),
        _less("the full store", "MB"),
    ),
    "steady": (
        Figure("steady, peak before", "jobs/s"),
        Figure("steady, submitted", "jobs/s"),
        Figure("steady, kept", "jobs/s"),
        Figure("steady, kept in the last quarter", "jobs/s"),
        _less("steady, jobs left at the end", "jobs"),
        _less("hot tables at the start", "MB"),
        _less("hot tables at the end", "MB"),
        _less("their indexes at the start", "MB"),
        _less("their indexes at the end", "MB"),
        _less("all tables at the start", "MB"),
        _less("all tables at the end", "MB"),
    ),
    "idle worker": (
        _less("idle worker, CPU", "% core"),
        _less("its database, CPU", "% core"),
    ),
}
