"""Bad input: a sentence, the right exit status, no traceback, and nothing changed."""

import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from cli.conftest import Invoke
from cli.jobs_made import Made
from cli.runs import run, start
from lightwork.store.contract import Store

ID = "01a208e3-c262-726d-99db-b8702431cc0f"

MISUSES = [
    (["statu"], "no such command 'statu'; did you mean 'status'?"),
    (["shwo"], "no such command 'shwo'; `lightwork --help` tells more"),
    (["jobs", "shwo"], "'shwo' is neither a URL nor one of"),
    (["jobs", "--state", "done"], "'done' is not one of"),
    (["jobs", "--limit", "-1"], "-1 is not in the range"),
    (["jobs", "--limit", "1e99"], "'1e99' is not a valid integer"),
    (["jobs", "--limit", "99999999999999999999"], "is not in the range"),
    (["jobs", "show"], "name at least one job"),
    (["jobs", "show", "17x"], "a job is named by its number or its UUID"),
    (["jobs", "show", "9" * 19], "a job is named by its number or its UUID"),
    (["jobs", "show", "a://b", "c://d", ID], "one URL is enough"),
    (["jobs", "wait", ID, "--timeout", "-1s"], "is not a duration"),
    (["jobs", "foo://x"], "stores are kept in SQLite"),
    (["jobs", "sqlite://"], "must be an ordinary file"),
    (["status", "work.db"], "'work.db' is not the URL of a store"),
    (["db", "prune", "--keep", "lost=1d"], "'lost' is not one of succeeded, failed"),
    (["db", "prune", "--older-than", "7 days"], "is not a duration"),
    (["db", "prune", "--older-than", "999999999999d"], "longer than 1e9 seconds"),
    (["submit"], "name the task: lightwork submit MODULE:FUNCTION [ARG]..."),
    (["submit", "script:square", "-3"], "before it: lightwork submit script:square -- -3"),
    (["submit", "script:square", "-3.5", "x y"], "lightwork submit script:square -- -3.5 'x y'"),
    (["submit", "script:square", "-3", "--wait"], "lightwork submit [OPTIONS] script:square -- -3"),
    (["run", "script:square", "-.5"], "write -- before it: lightwork run script:square -- -.5"),
    (["submit", "script:sqare", "3"], "has no 'sqare'; did you mean script:square?"),
    (["submit", "script:zzz", "3"], "has no 'zzz'; it has fail, greet, hold, square"),
    (
        ["submit", "script:square"],
        "missing a required argument: 'n'; it is script:square(n: int) -> int",
    ),
    (["schedules", "add", "s", "@daily", "script:square"], "it is script:square(n: int) -> int"),
    (["submit", "script:square", "3", "--kw", "m=1"], "got an unexpected keyword argument 'm'"),
    (
        ["submit", "script:greet", "a", "?"],
        "it is script:greet(name: str, *, mark: str = '!') -> str",
    ),
    (["submit", "script:time", "3"], "script:time is module, not a function"),
    (["submit", "script.py:square", "3"], "'script.py' is a file; name its module: script"),
    (["jobs", "--limt", "3"], "no such option '--limt'; did you mean"),
    (["jobs", "postgresql://ada:secret@host:x/db"], "postgresql://***@host:x/db is not the URL"),
    (["submit", "script"], "a task is named MODULE:FUNCTION"),
    (["submit", "a b:c"], "a task is named MODULE:FUNCTION"),
    (["submit", "a:" + "b" * 500], "a task is named MODULE:FUNCTION"),
    (["submit", "script:square", "--kw", "n"], "--kw expects NAME=VALUE"),
    (["submit", "script:square", "--delay", "-1s"], "is not a duration"),
    (["submit", "script:square", "3", "--queue", ""], "queue must be a name"),
    (
        ["submit", "script:square", "3", "--priority", "4294967296"],
        "priority must be a 32-bit integer",
    ),
    (
        ["submit", "script:square", "3", "--retries", "-1"],
        "retries must be an integer of at least 0",
    ),
    (["submit", "script:square", "[" * 100 + "]" * 100], "nested"),
    (["submit", "script:square", "[" * 60_000], "nested too deeply"),
    (["worker"], "a worker runs only what it is told to"),
    (["worker", "-m", "nope"], "the module 'nope' cannot be imported"),
    (["worker", "-m", "script.py"], "'script.py' is a file; name its module: script"),
    (["worker", "-m", "empty"], "no task in empty"),
    (["worker", "-m", "broken"], "it raised SyntaxError"),
    (["worker", "-m", "leaving"], "it raised SystemExit"),
    (["worker", "-m", "script", "-j", "0"], "0 is not in the range"),
    (["worker", "-m", "script", "-j", "100000"], "is not in the range"),
    (["worker", "-m", "script", "-j", "2", "--threads", "2"], "say one of them"),
    (["worker", "-m", "script", "--threads", "2", "--max-calls", "2"], "threads cannot be"),
    (["worker", "-m", "script", "--lease", "1ms"], "lease must be from 0.5 to 3600 seconds"),
    (["worker", "-m", "script", "--grace", "2d"], "grace must be from 0 to 86400 seconds"),
    (["worker", "-m", "script", "-q", ""], "queues must be names"),
    (["worker", "-m", "script", "--authkey-file", "none"], "the key file none cannot be read"),
    (["worker", "-m", "script", "--authkey-file", "short"], "short holds 15 bytes; expected at"),
]


@pytest.mark.parametrize(("words", "text"), MISUSES, ids=lambda value: str(value)[:60])
def test_wrong_use_is_told_and_changes_nothing(
    lightwork: Invoke, folder: Path, words: list[str], text: str
) -> None:
    (folder / "empty.py").touch()
    (folder / "short").write_text("k" * 15)
    (folder / "short").chmod(0o600)
    (folder / "broken.py").write_text("def f(:\n")
    (folder / "leaving.py").write_text("raise SystemExit(0)\n")
    before = {path.name for path in folder.glob("*.db*")}

    done = run(*words, folder=folder) if words[0] == "worker" else lightwork(*words)

    status = done.returncode if isinstance(done, subprocess.CompletedProcess) else done.exit_code
    assert status == 2
    assert done.stdout == ""
    assert text in " ".join(done.stderr.split())
    assert {path.name for path in folder.glob("*.db*")} == before


@pytest.mark.parametrize("verb", [["jobs"], ["status"], ["db", "check"], ["db", "upgrade"]])
def test_a_store_that_is_not_there_is_out_of_reach_and_not_made(
    lightwork: Invoke, folder: Path, verb: list[str]
) -> None:
    done = lightwork(*verb)

    assert done.exit_code == 3
    assert done.stderr.startswith("lightwork: store ")
    assert f"`lightwork db init sqlite:///{folder}/lightwork.db`" in done.stderr
    assert not (folder / "lightwork.db").exists()


@pytest.mark.parametrize("verb", [["jobs"], ["status"], ["db", "init"], ["submit", "a:b"]])
def test_a_file_that_is_no_database_is_left_alone(
    lightwork: Invoke, folder: Path, verb: list[str]
) -> None:
    path = folder / "lightwork.db"
    path.write_text("my notes, not a database")

    done = lightwork(*verb)

    assert done.exit_code == 3
    assert "is not a SQLite database" in done.stderr
    assert path.read_text() == "my notes, not a database"


def test_a_folder_is_no_store(lightwork: Invoke, folder: Path) -> None:
    (folder / "lightwork.db").mkdir()

    done = lightwork("jobs")

    assert done.exit_code == 3
    assert "is a folder" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
@pytest.mark.parametrize("mode", [0o000, 0o400])
def test_a_store_that_may_not_be_used_is_out_of_reach(
    lightwork: Invoke, store: Store, folder: Path, mode: int
) -> None:
    store.close()
    (folder / "lightwork.db").chmod(mode)

    done = lightwork("jobs")

    assert done.exit_code == 3
    assert "change its mode" in done.stderr


@pytest.mark.parametrize("verb", [["jobs"], ["db", "check"], ["db", "upgrade"], ["db", "init"]])
def test_a_store_of_a_newer_program_is_refused(
    lightwork: Invoke, store: Store, folder: Path, verb: list[str]
) -> None:
    store.close()
    with sqlite3.connect(folder / "lightwork.db") as connection:
        connection.execute("UPDATE lightwork_version SET version_num = '9999'")
    connection.close()

    done = lightwork(*verb)

    assert done.exit_code == 3
    assert "9999" in done.stderr


def test_a_reader_that_leaves_ends_a_listing_silently(folder: Path, store: Store) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    with start("jobs", folder=folder, stdout=writing) as process:
        os.close(writing)
        errors = process.communicate(timeout=60)[1]

    assert errors == ""


def test_ctrl_c_is_no_traceback(folder: Path, store: Store) -> None:
    with start("submit", "script:square", "3", "--wait", folder=folder) as process:
        assert process.stderr is not None
        assert "submitted" in process.stderr.readline()
        process.send_signal(2)
        errors = process.communicate(timeout=60)[1]

    assert process.returncode == 130
    assert "Traceback" not in errors


def test_names_that_the_encoding_lacks_do_not_end_a_verb(folder: Path, made: Made) -> None:
    made.ready(queue="日本")

    done = run("status", folder=folder, PYTHONIOENCODING="latin-1")

    assert done.stderr == ""
    assert "\\u65e5\\u672c: 1 ready" in done.stdout
