"""The demo itself: run, interrupted, killed, started again; always in processes of its own."""

import json
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from demo_steps import BAD_FILE, Outcomes, Stage, make_files

from waiting import wait_until

pytestmark = pytest.mark.process

FILES = 71


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_files(tmp_path_factory.mktemp("demo") / "files", count=FILES - 1)


@pytest.fixture
def stage(tmp_path: Path, files: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path / "here", files)
    yield stage
    stage.kill_all()


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Iterator[Stage]:
    """A stage where a demo has run to its end, with its output in `first`."""
    stage = Stage(tmp_path_factory.mktemp("demo") / "here", files)
    status, stdout, stderr = stage.run("--json")
    assert status == 0, stderr
    (stage.folder / "stdout").write_text(stdout)
    (stage.folder / "stderr").write_text(stderr)
    left = stage.processes()
    yield stage
    stage.kill_all()
    assert not left, "processes were left behind"


@pytest.fixture
def document(done: Stage) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((done.folder / "stdout").read_text())
    return found


def test_every_file_has_exactly_one_recorded_outcome(document: dict[str, Any]) -> None:
    proof = document["proof"]

    assert proof == {
        "files": FILES,
        "jobs": FILES,
        "distinct": FILES,
        "outcomes": FILES,
        "contradictions": 0,
        "holds": True,
    }


def test_a_killed_child_costs_one_attempt_which_is_run_again(document: dict[str, Any]) -> None:
    assert document["lost"] > document["rescued"] >= 1
    assert document["attempts"] == FILES + document["lost"]


def test_a_killed_child_is_told_with_what_the_store_shows_of_it(document: dict[str, Any]) -> None:
    told = (
        r"killed child \d+ of demo-\d.*attempt 1 of (\S+) was lost with its child.*"
        r"\1 succeeded in attempt \d"
    )
    assert re.search(told, _events(document), re.DOTALL), _events(document)


def test_a_killed_worker_is_told_with_the_rescue_of_what_it_held(document: dict[str, Any]) -> None:
    # Its death is noticed at once, before or after another is started. Of what it held,
    # jobs that had not begun are nobody's loss.
    kill = r"killed worker (demo-\d) .*; it held \d+ jobs? \(.*?\)"
    events = _events(document)
    assert re.search(
        kill + r".*\1 .* was found dead, .* after its last heartbeat; rescued: \d+ jobs? \("
        r".* in attempts? \d",
        events,
        re.DOTALL,
    ), events
    assert re.search(kill + r".*started demo-\d .* in its place", events, re.DOTALL), events


def _events(document: dict[str, Any]) -> str:
    return "\n".join(event["text"] for event in document["events"])


def test_a_file_that_cannot_be_parsed_is_a_failed_job_with_its_error(
    document: dict[str, Any],
) -> None:
    (failure,) = document["failures"]

    assert failure["file"] == BAD_FILE
    assert failure["error_type"] == "SyntaxError"
    assert f"({BAD_FILE}, line 1)" in failure["error_text"]


def test_the_largest_files_are_listed_with_their_lines(
    document: dict[str, Any], files: Path
) -> None:
    largest = document["largest"][0]

    lines = {
        path.name: path.read_bytes().count(b"\n")
        for path in files.iterdir()
        if path.name != BAD_FILE
    }
    assert largest["lines"] == max(lines.values())
    assert lines[largest["file"]] == largest["lines"]


def test_started_again_it_runs_nothing_and_shows_the_same_proof(done: Stage) -> None:
    before = done.outcomes()

    status, stdout, _ = done.run()

    assert status == 0
    assert f"all {FILES} outcomes were there already" in stdout
    assert "lightwork demo --fresh" in stdout
    assert f"{FILES} files, {FILES} jobs, {FILES} recorded outcomes: each exactly one." in stdout
    assert done.outcomes() == before


def test_a_pipe_gets_no_colours_and_no_blanks_at_line_ends(done: Stage) -> None:
    _, stdout, _ = done.run()

    assert "\x1b" not in stdout
    assert all(line == line.rstrip() for line in stdout.splitlines())


def test_quiet_prints_the_proof_alone(done: Stage) -> None:
    _, stdout, stderr = done.run("--quiet")

    assert stdout == f"{FILES} files, {FILES} jobs, {FILES} recorded outcomes: each exactly one.\n"
    assert stderr == ""


@dataclass(frozen=True)
class Twice:
    """A demo that was ended in the middle, and the one that was started after it."""

    before: Outcomes
    left: int
    status: int
    stderr: str
    after: Outcomes
    document: dict[str, Any]


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Iterator[Twice]:
    stage = Stage(tmp_path_factory.mktemp("demo") / "here", files)
    demo = stage.start("--no-kill", "--json")
    wait_until(lambda: len(stage.outcomes()) >= 20, "20 outcomes")
    demo.send_signal(signal.SIGINT)
    _, stderr = demo.communicate(timeout=30)
    left, before = len(stage.processes()), stage.outcomes()
    _, stdout, _ = stage.run("--no-kill", "--json")
    yield Twice(before, left, demo.returncode, stderr, stage.outcomes(), json.loads(stdout))
    stage.kill_all()


def test_interrupted_it_says_how_far_it_is_and_what_to_do(interrupted: Twice) -> None:
    done = len(interrupted.before)

    assert interrupted.status == 130
    assert re.search(
        rf"interrupted: {done} of {FILES} done; to go on: \S.* demo\n$", interrupted.stderr
    ), interrupted.stderr
    assert "Traceback" not in interrupted.stderr


def test_interrupted_it_leaves_no_process_behind(interrupted: Twice) -> None:
    assert interrupted.left == 0


def test_started_again_after_an_interrupt_it_runs_only_the_rest(interrupted: Twice) -> None:
    after = interrupted.after

    assert interrupted.document["before"] == len(interrupted.before)
    assert len(after) == FILES
    assert {job_id: after[job_id] for job_id in interrupted.before} == interrupted.before


def test_jobs_of_an_interrupted_demo_are_handed_back_not_lost(interrupted: Twice) -> None:
    assert interrupted.document["lost"] == 0


def test_killed_with_all_its_processes_it_goes_on_where_it_was(stage: Stage) -> None:
    demo = stage.start("--no-kill")
    wait_until(lambda: len(stage.outcomes()) >= 20, "20 outcomes")
    killed = stage.kill_all()
    demo.communicate(timeout=30)
    before = stage.outcomes()

    status, stdout, stderr = stage.run("--no-kill", "--json")

    # The demo, two workers, their fork servers and children.
    assert killed >= 7
    assert status == 0, stderr
    after = stage.outcomes()
    assert json.loads(stdout)["proof"]["holds"]
    assert {job_id: after[job_id] for job_id in before} == before


def test_workers_end_when_the_demo_alone_is_killed(stage: Stage) -> None:
    demo = stage.start("--no-kill")
    wait_until(lambda: len(stage.outcomes()) >= 10, "10 outcomes")

    demo.kill()
    demo.communicate(timeout=30)

    wait_until(lambda: not stage.processes(), "the workers have ended", within=10)
    assert len(stage.outcomes()) < FILES


def test_a_worker_that_somebody_kills_is_replaced_and_its_jobs_are_rescued(stage: Stage) -> None:
    demo = stage.start("--no-kill", "--json")
    wait_until(lambda: len(stage.outcomes()) >= 10, "10 outcomes")
    worker = psutil.Process(demo.pid).children()[0]
    worker.kill()

    stdout, stderr = demo.communicate(timeout=60)

    assert demo.returncode == 0, stderr
    (text, *_) = [event["text"] for event in json.loads(stdout)["events"]]
    assert re.fullmatch(
        rf"worker demo-\d \(pid {worker.pid}\) was killed by SIGKILL.*, not by this demo; "
        r"started demo-3 \(pid \d+\) in its place",
        text,
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage where one child has measured one file, with its output in `first`."""
    stage = Stage(tmp_path_factory.mktemp("demo") / "here", tmp_path_factory.mktemp("files"))
    (stage.files / "one.py").write_text("x = 1\n")
    status, stdout, _ = stage.run("-j", "1", "--quiet")
    assert status == 0
    (stage.folder / "first").write_text(stdout)
    yield stage
    stage.kill_all()


def test_one_child_and_one_file_are_enough(small: Stage) -> None:
    said = (small.folder / "first").read_text()

    assert said == "1 files, 1 jobs, 1 recorded outcomes: each exactly one.\n"


def test_fresh_starts_anew(small: Stage) -> None:
    before = small.outcomes()

    status, stdout, _ = small.run("--no-kill", "--fresh", "--json")

    assert status == 0
    assert json.loads(stdout)["before"] == 0
    assert small.outcomes().keys() == before.keys()
    assert small.outcomes() != before
