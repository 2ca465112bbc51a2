"""What is left when a map is ended from outside, and how the next one goes on."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from parallel.command_line import CommandLine, alive, pids_in
from waiting import wait_until

pytestmark = pytest.mark.process

# Tells its process id and stays; a child of its own, too.
STAYS = "echo $$ >> pids; sleep 1000 & echo $! >> pids; exec sleep 1000; : {}"
# The fourth job waits until it may go on; every job notes that it ran.
NOTES = "echo {} >> ran; test {} != 4 || until test -e go; do sleep 0.01; done; test {} != 2"


def started(line: CommandLine, *words: str, count: int) -> "subprocess.Popen[str]":
    process = line.start("map", *words)
    wait_until(lambda: len(pids_in(line.folder / "pids")) == count, "the jobs run")
    return process


def ran(line: CommandLine) -> list[str]:
    return (line.folder / "ran").read_text().split()


def log_lines(path: Path) -> int:
    return path.read_text().count("\n") if path.exists() else 0


def test_ctrl_c_ends_the_jobs_and_says_so(line: CommandLine) -> None:
    words = ("-j2", "--joblog", "log", STAYS, ":::", "a", "b", "c")
    with started(line, *words, count=4) as process:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "interrupted: 0 succeeded, 0 failed, 3 unfinished; --resume goes on" in said
    wait_until(lambda: not alive(pids_in(line.folder / "pids")), "nothing is left")


def test_a_second_ctrl_c_does_not_wait_for_jobs_that_will_not_end(line: CommandLine) -> None:
    deaf = "trap 'echo heard > heard' TERM; echo $$ >> pids; while :; do sleep 0.01; done; : {}"
    with started(line, "-j1", deaf, ":::", "a", count=1) as process:
        process.send_signal(signal.SIGINT)
        wait_until((line.folder / "heard").exists, "the first one was heard")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    assert process.returncode == 130
    wait_until(lambda: not alive(pids_in(line.folder / "pids")), "nothing is left")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_of_a_map_that_was_killed(line: CommandLine, number: int) -> None:
    with started(line, "-j2", STAYS, ":::", "a", "b", "c", count=4) as process:
        process.send_signal(number)
        process.communicate(timeout=60)

    wait_until(lambda: not alive(pids_in(line.folder / "pids")), "nothing is left")


@pytest.mark.parametrize(("flag", "again"), [("--resume", "456"), ("--resume-failed", "2456")])
def test_a_map_that_was_killed_goes_on_where_it_was(
    line: CommandLine, flag: str, again: str
) -> None:
    log = line.folder / "log"
    words = ("map", "-j1", "--joblog", "log", NOTES)
    with line.start(*words, ":::", *"123456") as process:
        wait_until(lambda: log_lines(log) == 4 and "4" in ran(line), "it is in the fourth job")
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    (line.folder / "ran").unlink()
    (line.folder / "go").touch()

    line.run(*words, flag, ":::", *"123456")

    assert "".join(ran(line)) == again
    assert log_lines(log) == 7 + (flag == "--resume-failed")


def test_a_job_that_halt_killed_is_run_again(line: CommandLine) -> None:
    command = "echo {} >> ran; test {} = b || { touch there; exec sleep 1000; }; until test -e there; do :; done; false"
    line.run("map", "-j2", "--halt", "now,fail=1", "--joblog", "log", command, ":::", "a", "b")
    (line.folder / "ran").unlink()

    line.run("map", "--joblog", "log", "--resume", "echo {} >> ran", ":::", "a", "b")

    assert ran(line) == ["a"]


def test_in_order_what_is_in_the_joblog_was_shown(line: CommandLine) -> None:
    # The first job holds back the second, which has ended when the map is killed.
    command = "test {} = a && echo $$ >> pids && exec sleep 1000; echo {}; touch b-ended"
    words = ("map", "-k", "-j2", "--joblog", "log", command, ":::", "a", "b")
    with line.start(*words) as process:
        wait_until((line.folder / "b-ended").exists, "the second has ended")
        wait_until(lambda: pids_in(line.folder / "pids"), "the first runs")
        process.kill()
        shown, _ = process.communicate(timeout=60)

    assert (shown, log_lines(line.folder / "log")) == ("", 1)
