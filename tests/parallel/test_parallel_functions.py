"""`lightwork run`, and `lightwork map --func`: functions here and as jobs of a store."""

import json
import signal

import pytest

from parallel.command_line import CommandLine
from waiting import wait_until

pytestmark = pytest.mark.process

STORE = "sqlite:///work.db"


def calls(line: CommandLine) -> list[str]:
    """Return what the tasks of work.py noted, and forget it."""
    path = line.folder / "calls"
    noted = path.read_text().split() if path.exists() else []
    path.unlink(missing_ok=True)
    return sorted(noted)


@pytest.mark.parametrize("where", ["processes", "threads", "inline"])
def test_run_prints_the_result(line: CommandLine, where: str) -> None:
    assert line.lines("run", "--where", where, "work:square", "7") == ["49"]


def test_run_reads_arguments_as_json_where_they_are(line: CommandLine) -> None:
    found = line.lines("run", "work:join", "a b", "[1, null]", "--kw", "by=+", "--", "-3")

    assert found == ["a b+[1, None]+-3"]


def test_run_prints_json(line: CommandLine) -> None:
    (found,) = line.lines("run", "--json", "work:square", "7")

    assert json.loads(found) == {"result": 49, "error": None}


def test_run_of_what_fails_shows_the_traceback(line: CommandLine) -> None:
    done = line.run("run", "work:odd", "2")

    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("ValueError: 2 is even\n")


def test_run_of_what_takes_too_long_is_killed(line: CommandLine) -> None:
    done = line.run("run", "--timeout", "0.5s", "work:stay")

    assert (done.returncode, "TimeoutError" in done.stderr) == (1, True), done.stderr


def test_run_as_a_job_prints_the_result(line: CommandLine) -> None:
    assert line.run("run", "--url", STORE, "-j1", "work:square", "7").stdout == "49\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "name the function"),
        (["work"], "MODULE:FUNCTION"),
        (["work.py:square"], "name its module: work"),
        (["no_such_module:f"], "cannot be imported"),
        (["work:no_such"], "has no 'no_such'"),
        (["work:os"], "is module, not a function"),
        (["work:square", "--kw", "7"], "NAME=VALUE"),
        (["work:square", "7", "--url", "x"], "not the URL of a store"),
        (["work:join", "7", "--url", STORE, "-j1"], "is not a task"),
        (["work:stay", "--where", "threads", "--timeout", "1s"], "only processes"),
    ],
)
def test_wrong_use_of_run_is_refused(line: CommandLine, words: list[str], text: str) -> None:
    done = line.run("run", *words)

    assert (done.returncode, text in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize("where", ["processes", "threads"])
def test_map_calls_a_function_with_each_input(line: CommandLine, where: str) -> None:
    found = line.lines("map", "--func", "-k", "--where", where, "work:square", typed="1\n2\n3\n")

    assert found == ["1", "4", "9"]


def test_map_calls_with_several_values_as_several_arguments(line: CommandLine) -> None:
    found = line.lines("map", "--func", "-k", "work:join", ":::", "a", "b", ":::", "1", "x")

    assert found == ["a-1", "a-x", "b-1", "b-x"]


def test_map_goes_on_after_a_function_that_raises(line: CommandLine) -> None:
    done = line.run("map", "--func", "-k", "work:odd", ":::", "1", "2", "3")

    assert (done.returncode, done.stdout) == (1, "1\n3\n")
    assert "job 2 (work:odd 2)" in done.stderr
    assert "ValueError: 2 is even" in done.stderr


def test_map_tries_a_function_again(line: CommandLine) -> None:
    line.run("map", "--func", "--retries", "3", "work:odd", ":::", "1", "2")

    assert calls(line) == ["1", "2", "2", "2"]


@pytest.mark.parametrize(("words", "attempts"), [((), 4), (("--retries", "2"), 2)])
def test_map_obeys_the_retries_of_a_task_unless_it_is_told_others(
    line: CommandLine, words: tuple[str, ...], attempts: int
) -> None:
    line.run("map", "--func", *words, "work:stubborn", ":::", "2")

    assert calls(line) == ["2"] * attempts


def test_map_kills_a_function_that_takes_too_long(line: CommandLine) -> None:
    done = line.run("map", "--func", "--timeout", "0.5s", "work:stay", ":::", "1")

    assert (done.returncode, "TimeoutError" in done.stderr) == (1, True), done.stderr


def test_map_of_jobs_prints_results(line: CommandLine) -> None:
    done = line.run("map", "--func", "-k", "--url", STORE, "work:square", ":::", "1", "2", "2")

    assert (done.returncode, done.stdout) == (0, "1\n4\n4\n")
    assert calls(line) == ["1", "2", "2"]


def test_map_of_jobs_started_again_takes_results_from_the_store(line: CommandLine) -> None:
    words = ("map", "--func", "-k", "--url", STORE, "work:square", ":::", "1", "2", "2")
    line.run(*words)
    calls(line)

    done = line.run(*words, "3")

    assert (done.stdout, calls(line)) == ("1\n4\n4\n9\n", ["3"])


def test_map_of_jobs_under_another_key_runs_them_anew(line: CommandLine) -> None:
    words = ("map", "--func", "--url", STORE, "work:square", ":::", "1")
    line.run(*words)
    calls(line)

    line.run(*words[:-2], "--key", "other", *words[-2:])

    assert calls(line) == ["1"]


def test_map_of_jobs_runs_failed_ones_again_when_asked(line: CommandLine) -> None:
    words = ("map", "--func", "-k", "--url", STORE, "work:odd")
    inputs = (":::", "1", "2", "3")
    first = line.run(*words, *inputs)
    (line.folder / "even-is-fine").touch()
    calls(line)

    done = line.run(*words, "--resume-failed", *inputs)

    assert (first.returncode, done.returncode) == (1, 0)
    assert (done.stdout, calls(line)) == ("1\n2\n3\n", ["2"])


def test_map_of_jobs_that_is_killed_loses_nothing(line: CommandLine) -> None:
    inputs = [str(n) for n in range(300)]
    words = ("map", "--func", "-k", "--url", STORE, "work:square", ":::", *inputs)
    with line.start(*words) as process:
        wait_until((line.folder / "calls").exists, "some jobs ran")
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)

    done = line.run(*words)

    assert done.stdout.split() == [str(n * n) for n in range(300)]


def test_map_of_jobs_may_leave_them_to_workers_elsewhere(line: CommandLine) -> None:
    words = ("map", "--func", "-k", "-j0", "--url", STORE, "work:square", ":::", "1", "2")
    with line.start(*words) as process:
        wait_until((line.folder / "work.db").exists, "the store is there")
        with line.start("worker", STORE, "-m", "work", "--threads", "1") as worker:
            stdout, _ = process.communicate(timeout=60)
            worker.send_signal(signal.SIGTERM)
            worker.communicate(timeout=60)

    assert (process.returncode, stdout) == (0, "1\n4\n")
