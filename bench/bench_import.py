"""What a program pays before its first line: whole processes, from start to exit.

Measures `python -c pass` (the floor that every Python program pays), `import
lightwork` and `lightwork --help`, in turns, so that a busy moment of the machine
hits all three. The first round warms the caches and is not counted.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

FLOOR = "python -c pass"
COMMANDS: Mapping[str, Sequence[str]] = {
    FLOOR: (sys.executable, "-c", "pass"),
    "import lightwork": (sys.executable, "-c", "import lightwork"),
    # The script beside this Python: what the user types, not an import of its module.
    "lightwork --help": (str(Path(sys.executable).with_name("lightwork")), "--help"),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: milliseconds of wall-clock time."""

    name: str
    median_ms: float
    above_python_ms: float
    slowest_ms: float


@dataclass(frozen=True, slots=True)
class Report:
    """All that is printed, as a table or as JSON."""

    versions: Mapping[str, str]
    runs: int
    figures: Sequence[Figure]
    failures: Mapping[str, str]


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure how long lightwork takes to start.")
    parser.add_argument("--runs", type=int, default=15, help="counted runs of each (default 15)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error(f"--runs must be at least 1; seen: {options.runs}")
    problems = {name: run(command)[1] for name, command in COMMANDS.items()}
    failures = {name: problem for name, problem in problems.items() if problem}
    report = Report(
        versions=versions(),
        runs=options.runs,
        figures=measure([name for name in COMMANDS if name not in failures], options.runs),
        failures=failures,
    )
    print(json.dumps(asdict(report), indent=2) if options.json else "\n".join(table(report)))
    return 1 if failures else 0


def measure(names: Sequence[str], runs: int) -> list[Figure]:
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(runs):
        for name in names:
            times[name].append(run(COMMANDS[name])[0] * 1000)
    floor = statistics.median(times[FLOOR])
    return [make_figure(name, times[name], floor) for name in names]


def run(command: Sequence[str]) -> tuple[float, str]:
    """Return the seconds that a command took, and its complaint if it failed."""
    started = time.perf_counter()
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return 0.0, str(error)
    seconds = time.perf_counter() - started
    complaint = (done.stderr.strip().splitlines() or [""])[-1]
    return seconds, f"exit status {done.returncode}: {complaint}" if done.returncode else ""


def make_figure(name: str, times: Sequence[float], floor: float) -> Figure:
    median = statistics.median(times)
    return Figure(name, round(median, 1), round(median - floor, 1), round(max(times), 1))


def versions() -> dict[str, str]:
    try:
        lightwork = metadata.version("lightwork")
    except metadata.PackageNotFoundError:
        lightwork = "not installed (run `make bench`)"
    return {
        "lightwork": lightwork,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": str(os.cpu_count()),
    }


def table(report: Report) -> Iterator[str]:
    yield " · ".join(f"{name} {version}" for name, version in report.versions.items())
    yield f"start to exit of a process, milliseconds, {report.runs} runs each, in turns"
    yield f"{'':20}{'median':>9}{'above python':>14}{'slowest':>9}"
    for row in report.figures:
        yield f"{row.name:20}{row.median_ms:9.1f}{row.above_python_ms:14.1f}{row.slowest_ms:9.1f}"
    for name, problem in report.failures.items():
        yield f"{name:20}  failed: {problem}"


if __name__ == "__main__":
    raise SystemExit(main())
