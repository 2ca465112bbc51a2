"""Process groups that are lent again, and those that must not be."""

import os
import signal
import tempfile
from pathlib import Path

import psutil
import pytest

from lightwork.command.command import Command
from lightwork.command.process_groups import Groups
from waiting import wait_until

pytestmark = pytest.mark.process


def run(groups: Groups, script: str, *, timeout: float = 0.0) -> int:
    """Run a shell's script in a lent group; return the group's number."""
    with tempfile.TemporaryFile() as file:
        text = f"ps -o pgid= -p $$; {script}"
        Command(text, shell=True, timeout=timeout).run_into(file, file, groups=groups)
        file.seek(0)
        return int(file.read().split()[0])


def test_a_group_in_which_nobody_is_left_is_lent_again() -> None:
    groups = Groups()

    first, second = run(groups, "true"), run(groups, "exit 3")

    assert first == second
    groups.close()


@pytest.mark.parametrize(
    "script",
    [
        "sleep 1000 & echo $!",
        "(sleep 1000 >/dev/null 2>&1 & echo $!)",
        "nohup sleep 1000 & echo $!",
    ],
)
def test_whoever_a_program_left_is_killed_and_the_group_not_lent_again(
    script: str, tmp_path: Path
) -> None:
    groups, pid = Groups(), tmp_path / "pid"

    first = run(groups, f"{script} > {pid}")
    left = int(pid.read_text())
    second = run(groups, "true")

    assert first != second
    wait_until(lambda: not psutil.pid_exists(left) or is_zombie(left), "it is dead")
    groups.close()


def is_zombie(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def test_a_group_without_its_watcher_is_not_lent_again() -> None:
    groups = Groups()
    first = run(groups, "true")
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: is_zombie(first), "the watcher is dead")

    run(groups, "true")

    second = run(groups, "true")
    assert second != first
    groups.close()


def test_a_group_whose_program_was_killed_is_not_lent_again() -> None:
    groups = Groups()
    first = run(groups, "true")

    with pytest.raises(TimeoutError):
        run(groups, "exec sleep 1000", timeout=0.2)

    assert run(groups, "true") != first
    groups.close()


def test_a_program_that_cannot_be_started_leaves_no_process_and_no_descriptor() -> None:
    groups = Groups()
    before = psutil.Process().num_fds(), psutil.Process().children()

    with tempfile.TemporaryFile() as file, pytest.raises(FileNotFoundError):
        Command(["no-such-program-x"]).run_into(file, file, groups=groups)
    groups.close()

    assert (psutil.Process().num_fds(), psutil.Process().children()) == before


def test_closing_ends_the_watchers() -> None:
    groups = Groups()
    before = psutil.Process().num_fds(), psutil.Process().children()
    run(groups, "true")

    groups.close()

    assert (psutil.Process().num_fds(), psutil.Process().children()) == before
