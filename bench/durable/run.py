"""Run: who measures what, and when; the options of bench_store.py.

Every turn is a process of its own with a new database (seat.py). All sides take turns: in each
round everybody has one, and each round begins with another side, so a busy minute of the machine
hits all of them.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path

from durable import long_rows
from durable.long_rows import USUAL, Amounts
from durable.plot import draw
from durable.seat import PATIENCE
from durable.servers import KINDS
from durable.sides import SIDES, Side, version_of
from durable.table import table
from local import session
from local.report import Failure, Figure, Line, Report, cell, rotated

HERE = Path(__file__).parent
# What each row gives.
ROWS: Mapping[str, Sequence[Figure]] = {
    "drain": (
        Figure("drain", "jobs/s"),
        Figure("CPU of a job, drained", "us", more_is_better=False),
        Figure("database for a job", "bytes", more_is_better=False),
    ),
    "submit many": (Figure("submit many", "jobs/s"),),
    "submit one by one": (Figure("submit one by one", "jobs/s"),),
    "idle": (
        Figure("idle, submit to body, median", "ms", more_is_better=False),
        Figure("idle, submit to body, 99 of 100", "ms", more_is_better=False),
        Figure("idle, submit to outcome, median", "ms", more_is_better=False),
        Figure("idle, submit to outcome, 99 of 100", "ms", more_is_better=False),
    ),
}
NOTES = (
    "drain: from the first body to the last.",
    "CPU: of the workers and of the backends of PostgreSQL, of all of MariaDB and Redis.",
    "database: SQLite with its WAL; of Redis the memory.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How much is measured, and by whom."""

    sides: Sequence[Side]
    jobs: int = 20_000
    rounds: int = 3
    only: str = ""
    rows: Mapping[str, Sequence[Figure]] = field(default_factory=lambda: ROWS)
    notes: Sequence[str] = NOTES
    # Of the long rows.
    amounts: Amounts | None = None

    def jobs_of(self, row: str) -> int:
        """Return how many jobs a row has to do."""
        if self.amounts is None:
            return self.jobs
        return self.amounts.jobs or USUAL[row]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, show, and return the exit status: 1 if a side has failed."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if not any(options.only in row for row in ROWS):
        parser.error(f"--only: expected a part of one of: {', '.join(ROWS)}; seen {options.only!r}")
    report = measure(setting_of(options, parser))
    print(json.dumps(asdict(report)) if options.json else "\n".join(table(report)))
    if options.plot:
        options.plot.write_text(draw(report), encoding="utf-8")
    return 1 if report.failures else 0


def setting_of(options: argparse.Namespace, parser: argparse.ArgumentParser) -> Setting:
    """Return what is asked for: the usual rows, or some of the long ones."""
    sides = options.peers or [*SIDES.values()]
    chosen = [row for row in long_rows.USUAL if getattr(options, row.split()[0])]
    if not chosen:
        jobs, rounds = (400, 1) if options.quick else (options.jobs or 20_000, options.rounds or 3)
        return Setting(sides=sides, jobs=jobs, rounds=rounds, only=options.only)
    if options.peers is None:
        names = long_rows.SIDES_OF.get(chosen[0], [*SIDES])
        sides = [side for side in sides if side.is_ours and side.name in names]
    if len(chosen) > 1 or not all(side.is_ours for side in sides):
        parser.error("--full, --steady, --idle, --memory: one at a time, of lightwork alone")
    amounts = _amounts(options)
    return Setting(
        sides=sides,
        jobs=amounts.jobs or USUAL[chosen[0]],
        rounds=options.rounds or 1,
        rows={row: long_rows.figures(row, amounts) for row in chosen},
        notes=[long_rows.NOTES[row] for row in chosen],
        amounts=amounts,
    )


def _amounts(options: argparse.Namespace) -> Amounts:
    if options.quick:
        return long_rows.QUICK
    return Amounts(
        jobs=options.jobs or 0,
        finished=options.finished,
        scheduled=options.scheduled,
        minutes=options.steady or 0.0,
        seconds=options.seconds,
    )


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="Measure durable jobs beside peers, in one run.")
    parser.add_argument("--rounds", type=_at_least_one, help="(default 3; of long rows 1)")
    parser.add_argument("--jobs", type=_at_least_one, help="(default 20000; --memory 500000)")
    parser.add_argument("--only", default="", metavar="ROW", help="rows with this in their name")
    parser.add_argument(
        "--peers",
        type=_peers,
        metavar="A,B",
        help=f"of {', '.join(SIDES)}",
    )
    parser.add_argument("--quick", action="store_true", help="little work: to see that it runs")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the medians as well")
    usual = Amounts()
    long = parser.add_argument_group("long rows, one at a time, of lightwork alone")
    long.add_argument("--full", action="store_true", help="drain a full store and an empty one")
    long.add_argument(
        "--steady",
        type=_minutes,
        metavar="MINUTES",
        help="half of the peak with a transaction held open, by default on PostgreSQL",
    )
    long.add_argument("--idle", action="store_true", help="the CPU share of an idle worker")
    long.add_argument("--memory", action="store_true", help="what a worker holds as it goes on")
    for name in ("finished", "scheduled"):
        amount = getattr(usual, name)
        long.add_argument(
            f"--{name}", type=_at_least_one, default=amount, help=f"of a full store ({amount:,})"
        )
    long.add_argument(
        "--seconds", type=float, default=usual.seconds, help=f"of --idle ({usual.seconds:g})"
    )
    return parser


def measure(setting: Setting) -> Report:
    """Measure all that is asked for, and return it."""
    # Now: what is measured is load as well.
    settings = describe(setting)
    kinds = {kind: why_not(kind) for kind in {side.kind for side in setting.sides}}
    missing = {
        side.name: why for side in setting.sides if (why := kinds[side.kind] or not_installed(side))
    }
    present = {side.name: side for side in setting.sides if side.name not in missing}
    lines: list[Line] = []
    failures: list[Failure] = []
    for row, figures in setting.rows.items():
        if setting.only in row:
            rounds, failed = take_turns(row, present, setting)
            lines.extend(make_lines(figures, rounds))
            failures.extend(failed)
    return Report(
        settings=settings,
        sides={
            name: f"{_version(side)}; {side.setting}{_part(side)}" for name, side in present.items()
        },
        missing=[f"{name} ({why})" for name, why in missing.items()],
        lines=lines,
        failures=failures,
        notes=setting.notes,
    )


def take_turns(
    row: str, sides: Mapping[str, Side], setting: Setting, *, seat: Path = HERE / "seat.py"
) -> tuple[dict[str, list[Sequence[float]]], list[Failure]]:
    """Return what each side reached in each round; who fails takes no further part.

    Args:
        row: Of the table.
        sides: Those that are there.
        setting: How much.
        seat: The script of a turn.
    """
    found: dict[str, list[Sequence[float]]] = {}
    failures: dict[str, Failure] = {}
    for number in range(setting.rounds):
        for name in rotated([*sides], number):
            if name in failures:
                continue
            print(f"{row}: {name} ...", file=sys.stderr, flush=True)
            jobs = max(int(setting.jobs_of(row) * sides[name].part), 100)
            figures, problem = take_turn(
                seat, name, row, jobs, amounts=setting.amounts, python=sides[name].python
            )
            if problem:
                failures[name] = Failure(row, name, problem)
                found.pop(name, None)
            else:
                found.setdefault(name, []).append(figures)
    return found, [*failures.values()]


def take_turn(
    seat: Path,
    name: str,
    row: str,
    jobs: int,
    *,
    amounts: Amounts | None = None,
    python: str = sys.executable,
) -> tuple[Sequence[float], str]:
    """Have a side take one turn; return its figures, or what went wrong."""
    command = [python, "-P", str(seat), "measure", name, row, str(jobs)]
    patience = 2 * PATIENCE
    if amounts is not None:
        command.append(json.dumps(asdict(amounts)))
        # A thousand jobs a second is little.
        much = 4 * jobs + amounts.finished + amounts.scheduled
        patience += much / 1000 + amounts.minutes * 60 + 2 * amounts.seconds
    with tempfile.TemporaryFile() as said:
        process = session.start(command, subprocess.PIPE, said)
        try:
            out, _ = process.communicate(timeout=patience)
            figures = json.loads(out.decode().strip().splitlines()[-1])
        except (subprocess.TimeoutExpired, ValueError, IndexError):
            return (), session.last_words(said)
        finally:
            session.end(process, 0)
    return figures, ""


def make_lines(
    figures: Sequence[Figure], rounds: Mapping[str, Sequence[Sequence[float]]]
) -> Iterator[Line]:
    """Yield a line for each figure that anybody has."""
    for place, figure in enumerate(figures):
        cells = {
            name: cell(figure, [turn[place] for turn in turns])
            for name, turns in rounds.items()
            if all(len(turn) > place for turn in turns)
        }
        if cells:
            yield Line(figure, cells)


def describe(setting: Setting) -> dict[str, object]:
    """Return what the figures depend on."""
    more = {} if setting.amounts is None else asdict(setting.amounts) | {"jobs": setting.jobs}
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "jobs": setting.jobs,
        "rounds": setting.rounds,
        "workers": 2,
        "sqlalchemy": metadata.version("sqlalchemy"),
        **more,
    }


def why_not(kind: str) -> str:
    """Return why there is no database of this kind; "": there is one."""
    try:
        server = KINDS[kind]()
    except Exception as error:
        return f"no {kind}: {str(error).splitlines()[0][:100]}"
    with suppress(Exception):
        server.drop()
    return ""


def not_installed(side: Side) -> str:
    """Return why a library cannot be used; "": it can."""
    return "" if version_of(side) else "not installed"


def _version(side: Side) -> str:
    return f"{side.library} {version_of(side)}"


def _part(side: Side) -> str:
    return "" if side.part == 1 else f"; {side.part:.0%} of the jobs"


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1; seen {text}")
    return number


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 0 < minutes <= 1440:
        raise argparse.ArgumentTypeError(f"expected minutes from above 0 to 1440; seen {text}")
    return minutes


def _peers(text: str) -> list[Side]:
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in SIDES]:
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(SIDES)}; seen {unknown[0]}")
    return [SIDES[name] for name in names]
