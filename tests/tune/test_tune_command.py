"""The verb: what it prints, draws, refuses, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from lightwork.cli import tune as tune_command

pytestmark = pytest.mark.process

HERE = Path(__file__).parent
SECONDS = 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "input.txt").write_text("".join(f"{n}\n" for n in range(1, 101)))
    return tmp_path


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "lightwork", "tune", *words]


def environment() -> dict[str, str]:
    # Absolute: the programs run in another folder.
    sources = Path(tune_command.__file__).parents[2]
    paths = [str(HERE), str(sources), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "NO_COLOR": "1"}


def tune(folder: Path, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words),
        cwd=folder,
        env=environment(),
        input=text,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_an_async_function_is_measured(folder: Path) -> None:
    words = ("--input", "input.txt", "--seconds", "6", "--json")

    done = tune(folder, "tuned:wait_async", *words)

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {row["where"] for row in found["rows"]} >= {"inline", "threads:1"}
    # A hundred at a time against one: whatever else the machine does.
    assert found["recommended"]["where"] != "inline"


def test_people_are_told_from_how_many_items_on_it_pays(folder: Path) -> None:
    done = tune(folder, "tuned:add_one", "--input", "input.txt", "--seconds", "1")

    assert "  no pool pays here, however many the items\n" in done.stdout or (
        " pays from " in done.stdout
    )


def test_people_get_tables(folder: Path) -> None:
    done = tune(folder, "tuned:add_one", "--input", "input.txt", "--seconds", "1")

    assert done.returncode == 0, done.stderr
    assert "What holds it back" in done.stdout
    assert "lw.executor(" in done.stdout
    assert "plot" not in done.stdout
    assert [path.name for path in folder.iterdir()] == ["input.txt"]


def test_a_plot_is_drawn_where_it_is_asked_for(folder: Path) -> None:
    words = ("--seconds", "1", "--plot", "figures.svg")

    done = tune(folder, "tuned:add_one", "--input", "input.txt", *words)

    assert "plot: figures.svg" in done.stdout
    root = ET.parse(folder / "figures.svg").getroot()
    assert root.tag.endswith("svg")


def test_a_pipe_gets_tabs(folder: Path) -> None:
    done = tune(folder, "tuned:add_one", "-i", "input.txt", "--seconds", "1")

    lines = [line.split("\t") for line in done.stdout.splitlines() if "\t" in line]
    assert lines[0][0] == "run by"
    assert {len(line) for line in lines} == {len(lines[0])}


def test_json_is_one_object_and_the_only_output(folder: Path) -> None:
    done = tune(folder, "tuned:print_and_add", "-i", "input.txt", "--seconds", "1", "--json")

    [line] = done.stdout.splitlines()
    found = json.loads(line)
    assert done.stderr == ""
    assert found["function"] == "tuned:print_and_add"
    assert found["items"] == 100
    assert found["complete"] is True
    assert found["recommended"]["where"]
    assert found["rows"][0]["where"] == "inline"
    assert found["plot"] == ""
    assert not list(folder.glob("*.svg"))


def test_quiet_prints_the_line_of_code(folder: Path) -> None:
    done = tune(folder, "tuned:add_one", "-i", "input.txt", "--seconds", "1", "--quiet")

    [line] = done.stdout.splitlines()
    assert line.startswith("lw.executor(")
    assert done.stderr == ""


def test_the_input_may_come_from_standard_input_as_lists_of_arguments(folder: Path) -> None:
    done = tune(
        folder, "tuned:add", "-i", "-", "--args-json", "--seconds", "1", "--json", text="[1, 2]\n"
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["items"] == 1


def test_a_function_that_raises_ends_with_its_line_and_traceback(folder: Path) -> None:
    done = tune(folder, "tuned:raise_at_42", "-i", "input.txt", "--seconds", "1")

    assert done.returncode == 1
    assert "ValueError on line 42 of the input" in done.stderr
    assert "not this one" in done.stderr
    assert "probe.py" not in done.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("nowhere:f", "-i", "input.txt"), "'nowhere' cannot be imported"),
        (("tuned:nothing", "-i", "input.txt"), "has no 'nothing'"),
        (("tuned:add_one",), "missing option"),
        (("tuned:add_one", "-i", "missing.txt"), "No such file"),
        (("tuned:add_one", "-i", "input.txt", "--plot", "plot.png"), "drawn as SVG"),
        (("tuned:add_one", "-i", "input.txt", "--plot", "no/p.svg"), "there is no folder"),
        (("tuned:add_one", "-i", "input.txt", "--seconds", "0"), "more than 0"),
        (("tuned:add_one", "-i", "input.txt", "--seconds", "x"), "not a duration"),
        (("tuned:add_one", "-i", "-"), "the input is empty"),
    ],
)
def test_wrong_use_is_told_before_anything_is_measured(
    folder: Path, words: tuple[str, ...], expected: str
) -> None:
    done = tune(folder, *words)

    assert done.returncode == 2
    assert expected in done.stderr
    assert done.stdout == ""


def test_ctrl_c_prints_what_is_known_and_does_not_wait_for_threads(folder: Path) -> None:
    mark = folder / "hanging"
    (folder / "input.txt").write_text(f"{mark}\n" * 10)
    running = subprocess.Popen(
        command("tuned:hang_in_threads", "-i", "input.txt", "--json"),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until_exists(mark)

        running.send_signal(signal.SIGINT)
        printed, errors = running.communicate(timeout=SECONDS)
    finally:
        running.kill()
        running.wait()

    assert running.returncode == 130, errors
    found = json.loads(printed)
    assert found["complete"] is False
    assert found["inline_seconds_per_item"] > 0.005
    assert "Traceback" not in errors


def wait_until_exists(path: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.01)
