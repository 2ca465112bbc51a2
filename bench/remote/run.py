"""Run: who measures what, and when; the options of bench_net.py."""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from durable.plot import draw
from durable.run import Setting, describe, make_lines, take_turns, why_not
from durable.table import table
from local.report import Failure, Figure, Line, Report
from remote.goals import CROWD, IDLE, judge
from remote.seat import takes_part
from remote.sides import OURS, SIDES

SEAT = Path(__file__).parent / "seat.py"
ROWS: Mapping[str, Sequence[Figure]] = {
    "drain": (
        Figure("drain", "jobs/s"),
        Figure("CPU of a job, drained", "us", more_is_better=False),
        Figure("... of it the server", "us", more_is_better=False),
        Figure("... of it the database", "us", more_is_better=False),
    ),
    "idle": (
        Figure(IDLE, "ms", more_is_better=False),
        Figure("idle, submit to outcome, 99 of 100", "ms", more_is_better=False),
    ),
    "call": (
        Figure("a call that reads a number", "us", more_is_better=False),
        Figure("its CPU, both ends", "us", more_is_better=False),
        Figure("... of it the server's", "us", more_is_better=False),
    ),
    "signing": (Figure("both messages signed and verified", "us", more_is_better=False),),
    "crowd": (
        Figure(CROWD, "% core", more_is_better=False),
        Figure("1 idle worker, upkeep included", "% core", more_is_better=False),
    ),
}
NOTES = (
    "drain: from the first body to the last, by two worker processes; BaseManager's results are got meanwhile.",
    "CPU of a job: of workers, server and the backends of PostgreSQL, not of who submits.",
    "signed and verified: a request of 1 KB and an answer of 1 KB, both ends, in one process.",
    "500 idle workers: the CPU of the server; clients, polls and leases are real, in 5 processes.",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, show, and return the exit status: 1 if a side has failed."""
    parser = make_parser()
    said = parser.parse_args(arguments)
    if not any(said.only in row for row in ROWS):
        parser.error(f"--only: expected a part of one of: {', '.join(ROWS)}; seen {said.only!r}")
    sides = [SIDES[name] for name in SIDES if said.sides is None or name in said.sides]
    jobs, rounds = (400, 1) if said.quick else (said.jobs, said.rounds)
    report = measure(Setting(sides=sides, jobs=jobs, rounds=rounds, only=said.only))
    shown = partial(table, ours=OURS, judged=judge)
    print(json.dumps(asdict(report)) if said.json else "\n".join(shown(report)))
    if said.plot:
        drawn = draw(report, shown=("drain", IDLE, "CPU of a job, drained"), ours=OURS)
        said.plot.write_text(drawn, encoding="utf-8")
    return 1 if report.failures else 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="Measure stores behind a server, in one run.")
    parser.add_argument("--rounds", type=int, default=3, help="(default 3)")
    parser.add_argument("--jobs", type=int, default=20_000, help="(default 20000)")
    parser.add_argument("--only", default="", metavar="ROW", help="rows with this in their name")
    parser.add_argument(
        "--sides", type=_names, default=None, metavar="A,B", help=f"of {', '.join(SIDES)}"
    )
    parser.add_argument("--quick", action="store_true", help="little work: to see that it runs")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the medians as well")
    return parser


def measure(setting: Setting) -> Report:
    """Measure all that is asked for, and return it."""
    settings = describe(setting)
    kinds = {kind: why_not(kind) for kind in {side.kind for side in setting.sides}}
    present = {side.name: side for side in setting.sides if not kinds[side.kind]}
    lines: list[Line] = []
    failures: list[Failure] = []
    for row, figures in ROWS.items():
        if setting.only not in row:
            continue
        sides = {name: side for name, side in present.items() if takes_part(row, name)}
        rounds, failed = take_turns(row, sides, setting, seat=SEAT)
        lines.extend(make_lines(figures, rounds))
        failures.extend(failed)
    return Report(
        settings=settings,
        sides={name: side.setting for name, side in present.items()},
        missing=[f"{side.name} ({kinds[side.kind]})" for side in setting.sides if kinds[side.kind]],
        lines=lines,
        failures=failures,
        notes=NOTES,
    )


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in SIDES]:
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(SIDES)}; seen {unknown[0]}")
    return names
