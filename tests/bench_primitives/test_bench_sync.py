"""The benchmark of locks and queues, with little to do."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "bench" / "bench_sync.py"


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.process
def test_a_quick_run_gives_the_figures_of_every_side() -> None:
    done = run("--quick", "--only", "Queue", "--json")

    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    names = [line["figure"]["name"] for line in report["lines"]]
    assert names == [
        "Queue, one by one",
        "Queue, two put and two get",
        "Queue, there and back",
        "Queue, batches of 1000",
    ]
    assert all({"lightwork", "mp", "mp Manager"} <= {*line["cells"]} for line in report["lines"])
    assert all(cell["median"] > 0 for line in report["lines"] for cell in line["cells"].values())


@pytest.mark.process
def test_a_killed_holder_is_measured_where_it_hands_over() -> None:
    done = run("--quick", "--only", "Lock")

    assert done.returncode == 0, done.stderr
    assert "Lock, after kill -9 of its holder" in done.stdout
    assert "Lock, hand-off, us" in done.stdout


@pytest.mark.process
def test_without_a_database_its_row_is_skipped_and_the_reason_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A port that no server may use.
    url = "postgresql+psycopg://postgres@127.0.0.1:1/postgres"
    monkeypatch.setenv("LIGHTWORK_TEST_POSTGRESQL", url)

    done = run("--quick", "--only", "PostgreSQL")

    assert done.returncode == 0, done.stderr
    assert "through PostgreSQL: skipped, no server: " in done.stderr


@pytest.mark.process
def test_a_row_that_nobody_knows_is_refused() -> None:
    done = run("--only", "no such row")

    assert done.returncode == 2
    assert "expected a part of one of: Lock, free" in done.stderr
