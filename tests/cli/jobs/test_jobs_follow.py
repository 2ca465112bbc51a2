"""`lightwork jobs --follow`: what happens, as it happens, until somebody ends it."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from cli.conftest import Invoke
from cli.jobs_made import Made
from cli.runs import start
from waiting import wait_until


@contextmanager
def following(
    folder: Path, *options: str, hear: Callable[[str], object]
) -> Iterator[subprocess.Popen[str]]:
    """Follow in another process, whose lines are heard; it is ended by Ctrl-C, cleanly."""
    with start("jobs", "--follow", *options, folder=folder) as process:
        assert process.stdout is not None
        lines = process.stdout
        reader = Thread(target=lambda: [hear(line) for line in lines])
        reader.start()
        yield process
        process.send_signal(signal.SIGINT)
        reader.join(60)
        assert process.stderr is not None
        assert (process.wait(60), process.stderr.read()) == (0, "")


def wait_until_it_follows(made: Made, lines: list[str]) -> None:
    """Submit jobs until one is told: whoever starts to follow does not say so."""

    def is_told() -> bool:
        made.ready()
        return bool(lines)

    wait_until(is_told, "a job is told", within=60)


def test_new_jobs_and_ends_come_in_order_as_objects(folder: Path, made: Made) -> None:
    lines: list[str] = []
    with following(folder, "--json", hear=lines.append):
        wait_until_it_follows(made, lines)
        job_id = str(made.failed())
        wait_until(lambda: any("job_failed" in line for line in lines), "the end", within=60)

    events = [json.loads(line) for line in lines]
    of_job = [event for event in events if event["job"] == job_id]
    assert [event["event"] for event in of_job] == ["job_submitted", "job_failed"]
    assert of_job[1]["error"] == {"type": "ValueError", "text": "wrong"}
    assert of_job[1]["attempt"] == 1
    assert len({(event["event"], event["job"]) for event in events}) == len(events)


def test_lines_are_for_people_without_colours_in_a_pipe(folder: Path, made: Made) -> None:
    lines: list[str] = []
    with following(folder, hear=lines.append):
        wait_until_it_follows(made, lines)
        made.failed()
        wait_until(lambda: any("failed" in line for line in lines), "the end", within=60)

    (failed,) = [line for line in lines if "failed" in line]
    assert " failed script:square job " in failed
    assert failed.endswith(" ValueError: wrong\n")
    assert "\x1b" not in "".join(lines)


def test_it_can_be_narrowed(folder: Path, made: Made) -> None:
    lines: list[str] = []
    with following(folder, "--json", "--state", "failed", "--queue", "default", hear=lines.append):

        def fail_one() -> bool:
            made.succeeded()
            made.failed()
            return bool(lines)

        wait_until(fail_one, "a failure is told", within=60)

    assert {json.loads(line)["event"] for line in lines} == {"job_failed"}


def test_it_ends_when_nobody_reads_any_more(folder: Path, made: Made) -> None:
    with start("jobs", "--follow", folder=folder) as process:
        assert process.stdout is not None
        process.stdout.close()

        def has_ended() -> bool:
            made.ready()
            return process.poll() is not None

        wait_until(has_ended, "it has noticed", within=60)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize("state", ["ready", "running"])
def test_a_state_in_which_nothing_ends_is_refused(
    lightwork: Invoke, made: Made, state: str
) -> None:
    done = lightwork("jobs", "--follow", "--state", state)

    assert done.exit_code == 2
    assert "--state is one of succeeded, failed, cancelled" in done.stderr
