"""Run: who measures what, and when; the options of bench_sync.py."""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata

from lightwork.sync.runtime_folder import VARIABLE
from local.report import Failure, Line, Report, cell, rotated
from local.table import table
from primitives.database import why_no_database
from primitives.goals import GOALS
from primitives.rows import ROWS, Row, Work
from primitives.sides import SIDES, Side, is_installed


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, show, and return the exit status: 1 if a side has failed."""
    parser = argparse.ArgumentParser(description="Measure locks and queues between processes.")
    parser.add_argument("--rounds", type=int, default=5, help="that count (default 5)")
    parser.add_argument("--only", default="", metavar="ROW", help="rows with this in their name")
    parser.add_argument("--quick", action="store_true", help="little work: to see that it runs")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    rows = [row for row in ROWS if options.only in row.figure.name]
    if not rows or options.rounds < 1:
        names = ", ".join(row.figure.name for row in ROWS)
        parser.error(f"--only: expected a part of one of: {names}; --rounds at least 1")
    work = Work(200, 3, 1, 200, 20, 3, 3) if options.quick else Work()
    with tempfile.TemporaryDirectory() as folder:
        # A broker of its own, which nobody else keeps busy.
        os.environ[VARIABLE] = f"{folder}/run"
        report = measure(rows, work, 1 if options.quick else options.rounds)
    print(json.dumps(asdict(report)) if options.json else "\n".join(table(report, GOALS)))
    return 1 if report.failures else 0


def measure(rows: Sequence[Row], work: Work, rounds: int) -> Report:
    """Measure all rows, and return what was seen."""
    settings = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "rounds": rounds,
    }
    sides = {name: SIDES[name]() for name in SIDES if is_installed(name)}
    without = why_no_database() if any(row.name == "stored" for row in rows) else ""
    lines: list[Line] = []
    failures: list[Failure] = []
    try:
        for row in rows:
            if without and row.name == "stored":
                print(f"{row.figure.name}: skipped, no server: {without}", file=sys.stderr)
                continue
            print(f"{row.figure.name} ...", file=sys.stderr)
            seen = take_turns(row, sides, work, rounds, failures)
            cells = {name: cell(row.figure, figures) for name, figures in seen.items()}
            lines.append(Line(row.figure, cells))
    finally:
        for side in sides.values():
            side.close()
    return Report(
        settings=settings,
        sides={name: describe(side) for name, side in sides.items()},
        missing=[name for name in SIDES if name not in sides],
        lines=lines,
        failures=failures,
    )


def take_turns(
    row: Row, sides: Mapping[str, Side], work: Work, rounds: int, failures: list[Failure]
) -> Mapping[str, Sequence[float]]:
    """Return the counted rounds of each side: the first warms up."""
    seen: dict[str, list[float]] = {name: [] for name in sides if row.name in sides[name].does}
    for number in range(rounds + 1):
        for name in rotated([*seen], number):
            try:
                own = work.part(sides[name].share) if sides[name].share < 1 else work
                seen[name].append(row.measure(sides[name], own))
            except Exception as error:
                del seen[name]
                failures.append(Failure(row.figure.name, name, f"{type(error).__name__}: {error}"))
    return {name: figures[1:] for name, figures in seen.items()}


def describe(side: Side) -> str:
    """Return the version of a side, and what it is."""
    version = metadata.version(side.library) if side.library else platform.python_version()
    return f"{version}, {(side.__doc__ or '').splitlines()[0]}"
