"""The whole benchmark, with little to do."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.memory import descendants, private_bytes

SCRIPT = Path(__file__).parents[2] / "bench" / "bench_local.py"


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.process
def test_a_quick_run_gives_the_figures_of_both_sides() -> None:
    done = run("--quick", "--peers", "Pool", "--only", "round", "--json")

    assert (done.returncode, done.stderr) == (0, "")
    report: dict[str, Any] = json.loads(done.stdout)
    assert [*report["sides"]] == ["lightwork", "Pool"]
    names = [line["figure"]["name"] for line in report["lines"]]
    assert names == ["round trip, median", "round trip, 99 of 100"]
    assert all(cell["median"] > 0 for line in report["lines"] for cell in line["cells"].values())


@pytest.mark.process
def test_a_row_that_nobody_knows_is_refused() -> None:
    done = run("--only", "no such row")

    assert done.returncode == 2
    assert "expected a part of one of: submit, round trip" in done.stderr


@pytest.mark.process
def test_a_process_behind_this_one_is_found_and_weighed() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        found = {*descendants(os.getpid())}
        weight = private_bytes(process.pid)

    assert process.pid in found
    assert weight > 0
