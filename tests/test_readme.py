"""The README does what it says: its program and its commands are run as they stand there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
# Basedpyright is pyright with its own Node.js: nothing is downloaded when it runs.
CHECKERS = (
    ("mypy", "--strict", "--cache-dir=/dev/null"),
    ("basedpyright", "--pythonpath", sys.executable, "--level", "error"),
)


def blocks(language: str) -> list[str]:
    found = re.findall(rf"```{language}\n(.*?)```", README.read_text(), re.DOTALL)
    assert found, f"the README shows no {language}"
    return [str(block) for block in found]


def run(folder: Path, *command: str) -> str:
    environment = {**os.environ, "NO_COLOR": "1"}
    environment.pop("LIGHTWORK_URL", None)
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def lightwork(folder: Path, *words: str) -> str:
    return run(folder, sys.executable, "-m", "lightwork", *words)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "script.py").write_text(blocks("python")[0])
    return tmp_path


def command_of(verb: str) -> list[str]:
    """Return the words behind `lightwork` of the command that the README shows."""
    lines = [line for block in blocks("console") for line in block.splitlines()]
    line = next(line for line in lines if line.startswith(f"$ lightwork {verb} "))
    return shlex.split(line, comments=True)[2:]


@pytest.mark.parametrize("checker", CHECKERS, ids=lambda words: words[0])
def test_type_checkers_understand_what_the_readme_shows(
    tmp_path: Path, checker: tuple[str, ...]
) -> None:
    for number, block in enumerate(blocks("python")):
        (tmp_path / f"shown_{number}.py").write_text(block)

    # Together: what they all import is read once.
    run(tmp_path, sys.executable, "-m", *checker, ".")


@pytest.mark.process
def test_the_program_can_be_pasted_into_a_prompt(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-i"],
        input=blocks("python")[0] + "\n",
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert "Error" not in done.stderr
    assert done.stdout.split() == ["400", str(sum(n * n for n in range(1000)))]


@pytest.mark.process
def test_the_program_prints_what_it_computes(folder: Path) -> None:
    printed = run(folder, sys.executable, "script.py")

    assert printed.split() == ["400", str(sum(n * n for n in range(1000)))]


@pytest.mark.process
def test_the_program_run_again_takes_all_outcomes_from_the_file(folder: Path) -> None:
    first = run(folder, sys.executable, "script.py")

    again = run(folder, sys.executable, "script.py")

    assert again == first
    states = lightwork(folder, "jobs", "sqlite:///work.db", "--limit", "5000", "--json")
    assert states.count('"succeeded"') == 1000


@pytest.mark.process
def test_the_commands_work_together(folder: Path) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "lightwork", *command_of("worker")],
        cwd=folder,
        stderr=subprocess.DEVNULL,
    )
    try:
        printed = lightwork(folder, *command_of("submit"))
    finally:
        worker.terminate()
        worker.wait(30)

    assert "400" in printed
    assert lightwork(folder, *command_of("jobs")) is not None


@pytest.mark.process
def test_orders_and_jobs_are_committed_together(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(blocks("python")[1])

    printed = run(tmp_path, sys.executable, "shop.py")
    again = run(tmp_path, sys.executable, "shop.py")

    assert printed.splitlines() == ["order 17 is shipped", "shipped"]
    assert again == printed


@pytest.mark.process
def test_nobody_loses_a_change_of_the_balance(tmp_path: Path) -> None:
    [till] = [block for block in blocks("python") if "balance" in block]
    (tmp_path / "till.py").write_text(till)

    assert run(tmp_path, sys.executable, "till.py") == "0\n"


@pytest.mark.process
def test_schedules_are_declared_and_shown(folder: Path) -> None:
    [declares] = [block for block in blocks("python") if "schedule=" in block]
    (folder / "nightly.py").write_text(declares)
    lines = [line for block in blocks("console") for line in block.splitlines()]
    words = [shlex.split(line, comments=True)[2:] for line in lines if "nightly" in line]
    verbs = [shlex.split(line, comments=True)[2:] for line in lines if "schedules" in line]
    [worker] = [words for words in words if words[0] == "worker"]
    [add] = [words for words in verbs if words[1] == "add"]
    [following] = [words for words in verbs if words[1] == "next"]
    [listing] = [words for words in verbs if words[1:] == ["sqlite:///work.db"]]

    lightwork(folder, *worker, "--burst")
    lightwork(folder, *add)

    names = [line.split("\t")[0] for line in lightwork(folder, *listing).splitlines()]
    assert names == ["NAME", "nightly:report", "squares"]
    times = lightwork(folder, *following).splitlines()
    assert len(times) == 5
    assert all(" 03:00:00 CE" in line for line in times)


@pytest.mark.process
def test_jobs_that_wait_for_jobs_run_in_order(tmp_path: Path) -> None:
    [family] = [block for block in blocks("python") if "after=" in block]
    (tmp_path / "family.py").write_text(family)

    assert run(tmp_path, sys.executable, "family.py").split() == ["7", "words", "3"]


@pytest.mark.process
def test_what_is_watched_is_told(tmp_path: Path) -> None:
    [program] = [block for block in blocks("python") if "middleware=" in block]
    (tmp_path / "watched.py").write_text(program)

    printed = run(tmp_path, sys.executable, "watched.py")

    assert printed.splitlines() == ["attempt 1 begins", "job 1 failed: division by zero"]
    url = "sqlite:///work.db"
    assert 'outcome="failed"' in lightwork(tmp_path, "metrics", url)
    assert "a minute, " in lightwork(tmp_path, "status", url)


@pytest.mark.process
def test_a_store_is_looked_after_as_the_readme_says(folder: Path) -> None:
    [block] = [block for block in blocks("console") if "lightwork doctor" in block]
    lightwork(folder, "db", "init", "sqlite:///work.db")

    for line in block.splitlines():
        lightwork(folder, *shlex.split(line, comments=True)[2:])

    assert (folder / "monday.db").exists()
    assert (folder / "moved.db").exists()
