"""The benchmark of durable jobs: its parts, and the whole with little to do."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from durable import board
from durable.goals import judge
from durable.plot import draw
from durable.table import table
from local.report import Figure, Line, Report, cell

SCRIPT = Path(__file__).parents[2] / "bench" / "bench_store.py"
DRAIN = Figure("drain", "jobs/s")


def report(**medians: float) -> Report:
    names = {"sqlite": "lw SQLite", "postgresql": "lw PostgreSQL", "huey": "Huey"}
    names |= {"best": "PGQueuer 100", "other": "PGQueuer 10"}
    cells = {names[key]: cell(DRAIN, [value]) for key, value in medians.items()}
    return Report(
        settings={}, sides=dict.fromkeys(cells, "1.0"), lines=[Line(DRAIN, cells)], notes=("note",)
    )


@pytest.mark.process
def test_a_quick_run_gives_the_figures_of_a_side() -> None:
    done = subprocess.run(
        [
            sys.executable,
            str(SCRIPT),
            "--quick",
            "--peers",
            "lw SQLite",
            "--only",
            "many",
            "--json",
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    (line,) = json.loads(done.stdout)["lines"]
    assert line["figure"]["name"] == "submit many"
    assert line["cells"]["lw SQLite"]["median"] > 0


def test_bodies_of_all_threads_are_counted_with_their_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(board.FOLDER, str(tmp_path))

    def work() -> None:
        for sent in (0, 1, 0):
            board.tick(sent)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = board.Board(tmp_path)

    assert seen.count() == 9
    assert len(seen.waits()) == 3
    assert seen.seconds() > 0


def test_a_goal_is_judged_by_the_best_setting_of_a_peer() -> None:
    (one,) = judge(report(postgresql=26.0, best=20.0, other=10.0))

    assert (one.wanted, one.seen, one.is_reached) == (">= 1.3", "1.30", True)


def test_a_goal_of_which_nothing_was_measured_is_not_judged() -> None:
    assert list(judge(report(sqlite=5.0))) == []


def test_a_report_is_shown_with_every_side() -> None:
    seen = report(sqlite=10.0, huey=2.0)

    shown, drawn = "\n".join(table(seen)), draw(seen)

    assert "lw SQLite is so many times better than" in shown
    assert "5.00" in shown
    assert all(name in drawn for name in ("lw SQLite", "Huey"))
