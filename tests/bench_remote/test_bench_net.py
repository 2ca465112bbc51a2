"""The benchmark of stores behind a server: its parts, and the whole with little to do."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local.report import Figure, Line, Report, cell
from remote.goals import CROWD, IDLE, judge

SCRIPT = Path(__file__).parents[2] / "bench" / "bench_net.py"
DRAIN = Figure("drain", "jobs/s")


def report(figure: Figure, **medians: float) -> Report:
    cells = {name.replace("_", " "): cell(figure, [value]) for name, value in medians.items()}
    return Report(settings={}, sides=dict.fromkeys(cells, ""), lines=[Line(figure, cells)])


@pytest.mark.process
@pytest.mark.parametrize(
    ("row", "side", "figure"),
    [
        ("drain", "http SQLite", "drain"),
        ("drain", "BaseManager", "drain"),
        ("signing", "http key", "both messages signed and verified"),
    ],
)
def test_a_quick_run_gives_the_figures_of_a_side(row: str, side: str, figure: str) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--quick", "--sides", side, "--only", row, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout)["lines"][0]
    assert line["figure"]["name"] == figure
    assert line["cells"][side]["median"] > 0


def test_a_goal_is_a_ratio_to_the_same_database_or_a_bound() -> None:
    drained = list(judge(report(DRAIN, http_SQLite=6.0, direct_SQLite=8.0, direct_PG=9.0)))
    idle = list(judge(report(Figure(IDLE, "ms", more_is_better=False), http_SQLite=3.1)))
    crowd = list(judge(report(Figure(CROWD, "% core", more_is_better=False), http_PG=5.0)))

    assert [(one.seen, one.is_reached) for one in drained] == [("0.75", True)]
    assert [(one.seen, one.is_reached) for one in idle] == [("3.10", False)]
    assert [(one.seen, one.is_reached) for one in crowd] == [("5.00", True)]
