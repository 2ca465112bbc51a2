"""With --json standard output holds answers and nothing else, whoever prints."""

import json

import pytest

from parallel.command_line import CommandLine

NOISY = '''
import os
import subprocess
import sys

print("noise of the import")

import lightwork as lw


@lw.task
def shout(n: int) -> int:
    """Print in every way there is."""
    print("noise of Python")
    sys.__stdout__.write("noise past sys.stdout\\n")
    sys.__stdout__.flush()
    os.write(1, b"noise of a library in C\\n")
    subprocess.run(["/bin/echo", "noise of a program"], check=True)
    return n
'''
NOISES = [
    "noise of the import",
    "noise of Python",
    "noise past sys.stdout",
    "noise of a library in C",
    "noise of a program",
]
STORE = ("--url", "sqlite:///work.db", "-j", "1")
VERBS = [
    ("run", "noisy:shout", "3", "--where", "inline"),
    ("run", "noisy:shout", "3", "--where", "threads"),
    ("run", "noisy:shout", "3", "--where", "processes"),
    ("run", "noisy:shout", "3", *STORE, "--quiet"),
    ("map", "--func", "noisy:shout", "--where", "threads", ":::", "3"),
    ("map", "--func", "noisy:shout", "--where", "processes", ":::", "3"),
    ("map", "--func", "noisy:shout", *STORE, "--quiet", ":::", "3"),
]


@pytest.fixture
def noisy(line: CommandLine) -> CommandLine:
    (line.folder / "noisy.py").write_text(NOISY)
    return line


def answered(line: CommandLine, *words: str) -> object:
    """Return the one object of the answer; everything printed must be beside it."""
    done = line.run(*words)
    assert [noise for noise in NOISES if noise not in done.stderr] == []
    return json.loads(done.stdout)["result"]


@pytest.mark.process
@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_prints_of_functions_do_not_meet_the_answer(
    noisy: CommandLine, words: tuple[str, ...]
) -> None:
    assert answered(noisy, words[0], "--json", *words[1:]) == 3


@pytest.mark.process
def test_prints_of_tasks_do_not_meet_the_log_of_a_worker(noisy: CommandLine) -> None:
    noisy.run("submit", "noisy:shout", "3")

    done = noisy.run("worker", "-m", "noisy", "--threads", "1", "--burst", "--json")

    events = [json.loads(text)["event"] for text in done.stdout.splitlines()]
    assert "job_succeeded" in events
    assert "noise of a program" in done.stderr


@pytest.mark.process
def test_prints_of_a_module_do_not_meet_the_id_of_a_job(noisy: CommandLine) -> None:
    done = noisy.run("submit", "noisy:shout", "3", "--json")

    assert list(json.loads(done.stdout)) == ["id"]


@pytest.mark.process
def test_a_reader_that_leaves_ends_json_silently(noisy: CommandLine) -> None:
    with noisy.start("map", "--func", "--json", "noisy:shout", ":::", *("3" * 20)) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        errors = process.stderr.read()

    assert "Broken pipe" not in errors
    assert "Exception ignored" not in errors
    assert "Traceback" not in errors
