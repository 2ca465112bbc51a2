"""Run: who measures what, and when; the options of bench_local.py.

Everything that is measured is a Subject. All sides take turns in it: in each round everybody has
one, and each round begins with another side, so a busy minute of the machine hits all of them.
The first round warms up and is not counted.
"""

import argparse
import importlib.util
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

from local import extras
from local.extras import Subject
from local.peers import SIDES
from local.plot import draw
from local.report import OURS, Failure, Figure, Line, Report, cell, rotated
from local.rows import Row, Work, array_kind, make_rows
from local.seats import Seats, TurnFailedError
from local.table import table


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How much is measured, and by whom."""

    sides: Sequence[str]
    work: Work
    children: int = 2
    many: int = 256
    rounds: int = 5
    starts: int = 9
    traced: int = 20_000
    only: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, show, and return the exit status: 1 if a side has failed."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    setting = make_setting(options)
    names = [subject.name for subject in subjects(setting, Seats(setting.work))]
    if not any(setting.only in name for name in names):
        parser.error(
            f"--only: expected a part of one of: {', '.join(names)}; seen {setting.only!r}"
        )
    report = measure(setting)
    print(json.dumps(asdict(report)) if options.json else "\n".join(table(report)))
    if options.plot:
        options.plot.write_text(draw(report), encoding="utf-8")
    return 1 if report.failures else 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="Measure local calls beside peers, in one run.")
    parser.add_argument("--rounds", type=_at_least_one, default=5, help="that count (default 5)")
    parser.add_argument("--children", type=_at_least_one, default=2, help="of each (default 2)")
    parser.add_argument("--only", default="", metavar="ROW", help="rows with this in their name")
    parser.add_argument(
        "--peers", type=_peers, default=[*SIDES], metavar="A,B", help=f"of {', '.join(SIDES)}"
    )
    parser.add_argument("--quick", action="store_true", help="little work: to see that it runs")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the medians as well")
    return parser


def make_setting(options: argparse.Namespace) -> Setting:
    """Return what the options ask for."""
    common = {"children": options.children, "only": options.only}
    sides = [OURS, *(side for side in options.peers if side != OURS)]
    if not options.quick:
        return Setting(sides=sides, work=Work(), rounds=options.rounds, **common)
    work = Work(calls=500, trips=100, items=20_000, body=4 << 20, mixed=20)
    return Setting(sides=sides, work=work, rounds=1, many=8, starts=1, traced=200, **common)


def measure(setting: Setting) -> Report:
    """Measure all that is asked for, and return it."""
    # Now: what is measured is load as well.
    settings = describe(setting)
    present = [side for side in setting.sides if is_installed(side)]
    missing = [side for side in setting.sides if side not in present]
    seats = Seats(setting.work)
    lines: list[Line] = []
    failures: list[Failure] = []
    try:
        for subject in chosen(setting, seats):
            _say(f"{subject.name} ...")
            sides = [side for side in present if subject.sides is None or side in subject.sides]
            rounds, failed = take_turns(subject, sides)
            lines.extend(make_lines(subject.figures, rounds))
            failures.extend(failed)
            subject.end()
    finally:
        seats.close()
    return Report(
        settings=settings,
        sides={side: describe_side(side) for side in present},
        missing=missing,
        lines=lines,
        failures=failures,
        notes=notes(setting),
    )


def chosen(setting: Setting, seats: Seats) -> list[Subject]:
    """Return what is asked for and can be measured here."""
    left_out = extras.SYSTEM_CALLS if why_not_traced(setting) else None
    return [
        subject
        for subject in subjects(setting, seats)
        if setting.only in subject.name and subject.name != left_out
    ]


def subjects(setting: Setting, seats: Seats) -> list[Subject]:
    """Return everything that is measured, in the order of the table."""
    few = setting.children
    return [
        *(row_subject(row, setting, seats) for row in make_rows(setting.work).values()),
        extras.many_children(seats, few, setting.many, setting.rounds),
        extras.cold_start(few, setting.starts),
        extras.system_calls(few, setting.traced),
    ]


def row_subject(row: Row, setting: Setting, seats: Seats) -> Subject:
    """Return a row that is measured on pools that stay open."""
    return Subject(
        name=row.name,
        figures=row.figures,
        turn=partial(_ask, seats, setting.children, row.name),
        rounds=row.rounds or setting.rounds,
        warms_up=row.rounds is None,
        sides=[name for name, side in SIDES.items() if side.submits or not row.submits],
    )


def take_turns(
    subject: Subject, sides: Sequence[str]
) -> tuple[Mapping[str, Sequence[Sequence[float]]], Sequence[Failure]]:
    """Let the sides take turns; return the counted rounds of each, and who has failed."""
    rounds: dict[str, list[Sequence[float]]] = {side: [] for side in sides}
    failures: list[Failure] = []
    for number in range(subject.rounds + subject.warms_up):
        for side in rotated(sides, number):
            if side not in rounds:
                continue  # It has failed before.
            try:
                rounds[side].append(subject.turn(side))
            except (TurnFailedError, OSError) as error:
                del rounds[side]
                failures.append(Failure(subject.name, side, str(error)))
    return {side: turns[subject.warms_up :] for side, turns in rounds.items()}, failures


def make_lines(
    figures: Sequence[Figure], rounds: Mapping[str, Sequence[Sequence[float]]]
) -> Iterator[Line]:
    """Return one line of the table for each figure."""
    for position, figure in enumerate(figures):
        cells = {
            side: cell(figure, [turn[position] for turn in turns]) for side, turns in rounds.items()
        }
        yield Line(figure, cells)


def describe(setting: Setting) -> Mapping[str, str | int | float]:
    """Return what a reader must know to compare the figures with others."""
    work = setting.work
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "children": setting.children,
        "rounds": setting.rounds,
        "starts": setting.starts,
        "calls": work.calls,
        "items": work.items,
        "trips": work.trips,
        "arrays": array_kind(),
    }


def describe_side(name: str) -> str:
    """Return the version of a side, its setting, and its part of the work."""
    side = SIDES[name]
    parts = [f"{version_of(side.library)}", side.setting]
    if side.calls_divisor > 1:
        parts.append(f"1/{side.calls_divisor} of the calls")
    if side.items_divisor > 1:
        parts.append(f"1/{side.items_divisor} of the items")
    return "; ".join(part for part in parts if part)


def version_of(library: str) -> str:
    """Return the version of an installed library; empty for the standard library."""
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return ""


def is_installed(name: str) -> bool:
    """Return whether a side can be opened."""
    return importlib.util.find_spec(SIDES[name].library.partition(".")[0]) is not None


def notes(setting: Setting) -> Sequence[str]:
    """Return what was left out, and why."""
    reason = why_not_traced(setting)
    return [f"system calls: {reason}"] if reason else []


def why_not_traced(setting: Setting) -> str:
    """Return why no system calls are counted; empty: they are, or nobody asked for them."""
    return extras.why_no_tracing() if setting.only in extras.SYSTEM_CALLS else ""


def _ask(seats: Seats, children: int, row: str, side: str) -> Sequence[float]:
    return seats.ask(side, children, row)


def _say(text: str) -> None:
    """Tell somebody who waits at a terminal what is under way."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, seen {text}")
    return number


def _peers(text: str) -> list[str]:
    known = {name.lower(): name for name in SIDES}
    wanted = dict.fromkeys(name.strip() for name in text.split(",") if name.strip())
    for name in wanted:
        if name.lower() not in known:
            raise argparse.ArgumentTypeError(f"expected some of {', '.join(SIDES)}, seen {name!r}")
    return [known[name.lower()] for name in wanted]
