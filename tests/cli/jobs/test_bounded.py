"""What rows hold is shown in bounds: huge numbers, huge names, commands to a terminal."""

import json
import sqlite3
from pathlib import Path

import pytest

from cli.conftest import Invoke
from cli.jobs_made import Made
from cli.runs import run

HUGE = 10**5000


@pytest.mark.parametrize("result", [HUGE, [HUGE], {"n": HUGE}], ids=["int", "list", "dict"])
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_result_that_python_cannot_write_is_shown_in_words(
    lightwork: Invoke, made: Made, result: object, more: tuple[str, ...]
) -> None:
    job_id = made.succeeded(result)

    done = lightwork("jobs", "show", job_id, *more)

    words = "an integer of 16610 bits" if result is HUGE else "that cannot be shown"
    assert done.exit_code == 0
    assert words in done.stdout
    assert len(done.stdout) < 3000


def test_an_argument_that_python_cannot_write_is_shown_in_words(
    lightwork: Invoke, made: Made
) -> None:
    made.ready(HUGE)

    assert "<an integer of 16610 bits>" in lightwork("jobs").stdout


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_call_may_return_a_number_that_python_cannot_write(
    folder: Path, more: tuple[str, ...]
) -> None:
    (folder / "big.py").write_text("def big(): return 10**5000\n")

    done = run("run", "big:big", "--where", "inline", *more, folder=folder)

    assert (done.returncode, done.stderr) == (0, "")
    assert "<an integer of 16610 bits>" in done.stdout


def test_an_outcome_cannot_steer_the_terminal(lightwork: Invoke, made: Made, folder: Path) -> None:
    job_id = made.failed()
    with sqlite3.connect(folder / "lightwork.db") as connection:
        connection.execute("UPDATE attempt SET outcome = 'gone\x1b[2J'")

    done = lightwork("jobs", "show", job_id)

    assert "attempt 1 gone\\x1b[2J at" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("verb", [("jobs",), ("status",), ("jobs", "show", 1)])
def test_a_name_of_megabytes_is_cut(
    lightwork: Invoke, made: Made, folder: Path, verb: tuple[object, ...]
) -> None:
    made.worker()
    made.ready()
    with sqlite3.connect(folder / "lightwork.db") as connection:
        connection.execute("UPDATE job SET task = ?, created_at = 1", (f"m:{'x' * 300_000}",))

    done = lightwork(*verb)

    assert len(done.stdout) < 5000
    if verb == ("jobs",):
        assert json.loads(lightwork("jobs", "--json").stdout)["task"].endswith("xxx")
