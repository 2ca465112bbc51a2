"""The benchmark of durable jobs: its parts, and the whole with little to do."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy

from durable import board
from durable.goals import judge
from durable.long_rows import Amounts, figures
from durable.plot import draw
from durable.run import main, make_parser, setting_of
from durable.sides import Side, version_of
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


@pytest.mark.process
@pytest.mark.parametrize(
    ("row", "figure"),
    [
        (["--full"], "drain, full store"),
        (["--steady", "1"], "steady, kept"),
        (["--idle"], "idle worker, CPU"),
        (["--memory"], "worker after 400 jobs"),
    ],
)
def test_a_quick_long_row_gives_its_figures(row: list[str], figure: str) -> None:
    command = [sys.executable, str(SCRIPT), "--quick", "--peers", "lw SQLite", "--json", *row]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    found = {line["figure"]["name"]: line["cells"] for line in json.loads(done.stdout)["lines"]}
    median = found[figure]["lw SQLite"]["median"]
    # The system counts CPU in hundredths of a second, and an idle worker takes less.
    assert median > 0 or (row == ["--idle"] and median == 0)


@pytest.mark.parametrize(
    "words", [["--full", "--idle"], ["--memory", "--peers", "Huey"], ["--steady", "0"]]
)
def test_long_rows_are_one_at_a_time_and_of_lightwork_alone(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(words)

    assert "one at a time" in (said := capsys.readouterr().err) or "expected minutes" in said


def test_a_steady_load_is_by_default_that_of_postgresql() -> None:
    parser = make_parser()

    setting = setting_of(parser.parse_args(["--steady", "30"]), parser)

    assert [side.name for side in setting.sides] == ["lw PostgreSQL"]
    assert setting.amounts is not None
    assert (setting.amounts.minutes, setting.jobs_of("steady")) == (30.0, 20_000)


def test_a_full_store_is_judged_by_the_same_side_when_it_was_empty() -> None:
    full, empty = Figure("drain, full store", "jobs/s"), Figure("drain, empty store", "jobs/s")
    lines = [
        Line(full, {"lw SQLite": cell(full, [80.0])}),
        Line(empty, {"lw SQLite": cell(empty, [100.0])}),
    ]

    (one,) = judge(Report(settings={}, sides={}, lines=lines))

    assert (one.wanted, one.seen, one.is_reached) == (">= 0.9", "0.80", False)


def test_the_memory_of_a_worker_is_told_at_every_tenth_of_the_jobs() -> None:
    names = [figure.name for figure in figures("memory", Amounts())]

    assert len(names) == 20
    assert (names[0], names[-1]) == ("worker after 50,000 jobs", "children after 500,000 jobs")


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


def test_a_library_is_looked_for_in_the_environment_where_its_side_lives() -> None:
    here = Side("here", "sqlalchemy", "app", "sqlite", "as it is")
    elsewhere = Side("elsewhere", "sqlalchemy", "app", "sqlite", "as it is", home="nobody-made-it")

    assert version_of(here) == sqlalchemy.__version__
    assert version_of(elsewhere) == ""
    assert here.python == sys.executable
