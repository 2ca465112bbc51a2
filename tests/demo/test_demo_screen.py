"""What a person sees while the demo runs, and the command at its end."""

import dataclasses
import io
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from lightwork.demo.ledger import Snapshot
from lightwork.demo.screen import fitting_names, worker_lines
from lightwork.store.views import WorkerView
from lightwork.terminal.program import program_words

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WORKER = WorkerView(
    id=uuid.uuid4(),
    name="demo-2",
    host="here",
    pid=4711,
    slots=1,
    queues=("demo",),
    tasks=(),
    state="live",
    started_at=NOW,
    heartbeat_at=NOW,
    lease_until=NOW,
    is_live=True,
    running=0,
)
OTHER = dataclasses.replace(WORKER, id=uuid.uuid4(), name="demo-10", pid=1234567)
FILES = ["pickle.py", "test/test_email/test_headerregistry.py", "ast.py"]


@pytest.mark.parametrize("width", [50, 60, 80, 120, 200])
def test_the_names_of_workers_are_never_cut(width: int) -> None:
    now = Snapshot(
        total=9,
        done=3,
        failed=0,
        running={WORKER.id: FILES * 20},
        begun={},
        workers={WORKER.id: WORKER, OTHER.id: OTHER},
        lost=[],
    )
    console = Console(width=width, file=io.StringIO(), color_system=None)

    with console.capture() as capture:
        for line in worker_lines(now, width):
            console.print(line)

    first, second = capture.get().splitlines()
    assert first.startswith("demo-2   pid 4711     live  pickle.py")
    assert second.rstrip() == "demo-10  pid 1234567  idle"
    assert len(first) <= width


@pytest.mark.parametrize(
    ("width", "text"),
    [
        (99, "pickle.py, test/test_email/test_headerregistry.py, ast.py"),
        (56, "pickle.py and 2 more"),
        (20, "pickle.py and 2 more"),
        (15, "….py and 2 more"),
        (3, ""),
    ],
)
def test_names_of_files_are_whole_as_far_as_they_fit(width: int, text: str) -> None:
    assert fitting_names(FILES, width) == text


def test_a_path_that_does_not_fit_keeps_its_end() -> None:
    assert fitting_names(["test/test_email/test_headerregistry.py"], 20) == "…t_headerregistry.py"


def test_nothing_is_held_by_who_is_idle() -> None:
    assert fitting_names([], 20) == ""


def test_a_module_is_started_again_as_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/lightwork/__main__.py"])
    monkeypatch.setattr(sys, "executable", "/usr/bin/python 3")

    assert program_words() == "'/usr/bin/python 3' -m lightwork"


def test_a_program_beside_the_path_is_named_by_its_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / ".venv" / "bin" / "lightwork"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setenv("PATH", "/nowhere")

    beside = program_words()
    monkeypatch.setenv("PATH", str(program.parent))

    assert (beside, program_words()) == (".venv/bin/lightwork", "lightwork")


@pytest.mark.process
def test_the_last_line_of_the_demo_is_a_command_that_works(tmp_path: Path) -> None:
    (tmp_path / "spam.py").write_text("x = 1\n")
    words = [sys.executable, "-m", "lightwork", "demo", "--folder", ".", "-j", "1", "--no-kill"]
    done = subprocess.run(
        words, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )

    again = subprocess.run(
        done.stdout.splitlines()[-1],
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert "succeeded" in again.stdout
    assert "spam.py" in again.stdout
