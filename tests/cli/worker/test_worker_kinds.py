"""`lightwork worker` of coroutines, of commands, and what it says of what jobs write."""

from pathlib import Path

import pytest

from cli.jobs_made import Made
from cli.runs import run
from lightwork.command.command import Command
from lightwork.command.job import COMMAND, command_arguments
from lightwork.model import State
from lightwork.store.contract import Store

pytestmark = pytest.mark.process

MEETING = """
import asyncio
import lightwork as lw

there = asyncio.Barrier(20)


@lw.task
async def meet() -> str:
    await there.wait()
    return "met"


@lw.task
def plain() -> None:
    print("said by plain")
"""


@pytest.fixture
def meeting(folder: Path) -> Path:
    (folder / "meeting.py").write_text(MEETING)
    return folder


def test_coroutines_run_side_by_side_and_plain_tasks_stay(
    meeting: Path, store: Store, made: Made
) -> None:
    ids = [made.ready(task="meeting:meet") for _ in range(20)]
    other = made.ready(task="meeting:plain")

    done = run("worker", "-m", "meeting", "--async", "20", "--burst", folder=meeting)

    assert done.returncode == 0
    assert set(store.states(ids).values()) == {State.SUCCEEDED}
    assert store.states([other]) == {other: State.READY}
    assert "slots 20 coroutines" in " ".join(done.stderr.split())


def test_what_jobs_write_begins_with_the_names_of_child_and_task(meeting: Path, made: Made) -> None:
    made.ready(task="meeting:plain")

    words = ("worker", "-m", "meeting", "-j", "1", "--burst", "--show-output")
    done = run(*words, folder=meeting)

    (line,) = [line for line in done.stdout.splitlines() if "said by plain" in line]
    assert "meeting:plain" in line


def test_commands_run_only_where_they_are_allowed(folder: Path, store: Store, made: Made) -> None:
    words = ("worker", "-j", "1", "--burst")
    job_id = made.ready(*command_arguments(Command(["echo", "hello"]), ()), task=COMMAND)

    run(*words, "-m", "script", folder=folder)
    before = store.states([job_id])[job_id]
    done = run(*words, "--allow-commands", folder=folder)

    assert (before, done.returncode) == (State.READY, 0)
    assert store.states([job_id]) == {job_id: State.SUCCEEDED}
    assert b"hello" in store.outcomes([job_id])[job_id].result


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-m", "script", "--async", "5"), "no async def task in script, and --async runs no"),
        (("-m", "script", "--async", "5", "-j", "2"), "-j, --threads and --async: say one"),
        (("-m", "script", "--threads", "2", "--memory-errors"), "memory_errors: not for threads"),
        (("-m", "script", "--max-memory", "much"), "much"),
        (("-j", "2"), "--allow-commands for programs"),
    ],
)
def test_what_makes_no_sense_is_refused(folder: Path, words: tuple[str, ...], said: str) -> None:
    done = run("worker", *words, folder=folder)

    assert done.returncode == 2
    assert said in done.stderr
    assert not (folder / "lightwork.db").exists()
