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
        timeout=60,
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
    [line] = [line for line in lines if line.startswith(f"$ lightwork {verb} ")]
    return shlex.split(line, comments=True)[2:]


@pytest.mark.parametrize("checker", CHECKERS, ids=lambda words: words[0])
@pytest.mark.parametrize("block", range(len(blocks("python"))))
def test_type_checkers_understand_what_the_readme_shows(
    tmp_path: Path, block: int, checker: tuple[str, ...]
) -> None:
    (tmp_path / "shown.py").write_text(blocks("python")[block])

    run(tmp_path, sys.executable, "-m", *checker, "shown.py")


@pytest.mark.process
def test_the_program_can_be_pasted_into_a_prompt(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-i"],
        input=blocks("python")[0] + "\n",
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
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
