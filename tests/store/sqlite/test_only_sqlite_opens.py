"""Nobody opens a SQLite file but SQLite: POSIX would drop the locks of the whole process."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from store.sqlite.opens import Opens


def run(
    *words: str, environment: Mapping[str, str] | None = None, seconds: float = 120
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def kept(path: Path) -> set[str]:
    connection = sqlite3.connect(path)
    # Past the index, which may be damaged too.
    rows = connection.execute("SELECT hex(id) FROM job NOT INDEXED").fetchall()
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    return {text for (text,) in rows}


# What was acknowledged is kept.

SUBMIT_AND_DIE = """
import os, signal, subprocess, sys, uuid
from lightwork.model import NewJob
from lightwork.store.sqlstore import SqlStore

def submit(store):
    job = NewJob(id=uuid.uuid4(), task="t:t", payload=b"")
    assert store.submit([job]) == [True]
    print(job.id.hex.upper())

store = SqlStore(sys.argv[1])
submit(store)
again = SqlStore(sys.argv[1])
subprocess.run([sys.executable, "-m", "lightwork", "status", sys.argv[1]], stdout=subprocess.DEVNULL)
for _ in range(20):
    submit(store)
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_store_opened_twice_beside_another_program_loses_nothing(url: str, path: Path) -> None:
    dead = run("-c", SUBMIT_AND_DIE, url)

    acknowledged = set(dead.stdout.split())
    assert (len(acknowledged), dead.stderr) == (21, "")
    assert acknowledged <= kept(path)


OPEN_SUBMIT_CLOSE = """
import sys, threading, uuid
from lightwork.model import NewJob
from lightwork.store.sqlstore import SqlStore

def work():
    for _ in range(int(sys.argv[2])):
        with SqlStore(sys.argv[1]) as store:
            job = NewJob(id=uuid.uuid4(), task="t:t", payload=b"")
            assert store.submit([job]) == [True]
            submitted.append(job.id.hex.upper())

submitted = []
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(*submitted)
"""


def test_programs_of_threads_that_open_submit_and_close_lose_nothing(url: str, path: Path) -> None:
    words = [sys.executable, "-c", OPEN_SUBMIT_CLOSE, url, "60"]
    programs = [
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]

    said = [program.communicate(timeout=120) for program in programs]

    acknowledged = {text for output, _errors in said for text in output.split()}
    assert (len(acknowledged), [errors for _output, errors in said]) == (480, ["", ""])
    assert acknowledged <= kept(path)


CONNECT_FIRST = """
import os, signal, subprocess, sys
from sqlalchemy import create_engine, text
from lightwork.store.sqlstore import SqlStore
SqlStore(sys.argv[1]).close()
with create_engine(sys.argv[1]).connect() as mine:
    mine.execute(text("CREATE TABLE note (n)"))
    mine.commit()
    SqlStore(sys.argv[1]).close()
    words = [sys.executable, "-m", "lightwork", "status", sys.argv[1]]
    for _ in range(2):
        subprocess.run(words, stdout=subprocess.DEVNULL)
        mine.execute(text("INSERT INTO note VALUES (1)"))
        mine.commit()
        SqlStore(sys.argv[1]).close()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_connection_of_the_programs_own_keeps_its_locks(url: str, path: Path) -> None:
    done = run("-c", CONNECT_FIRST, url)

    connection = sqlite3.connect(path)
    notes = connection.execute("SELECT count(*) FROM note").fetchone()
    connection.close()
    assert (notes, done.stderr) == ((2,), "")


# Nothing opens it.

FACE = """
import sys
import lightwork as lw

@lw.task
def square(n: int) -> int:
    return n * n

if __name__ == "__main__":
    with lw.executor(sys.argv[1], workers=2) as ex:
        assert ex.submit(square, 3).result() == 9
        assert sum(ex.map(square, range(20), key="squares")) == 2470
        with lw.executor(sys.argv[1]) as other:
            future = other.submit(square.options(delay=3600), 1)
            assert other.future(future.job_id).cancel()
"""


@pytest.fixture
def opens(tmp_path: Path, path: Path) -> Opens:
    folder = tmp_path / "watcher"
    folder.mkdir()
    return Opens(folder, path)


def test_watcher_sees_who_opens_the_file(opens: Opens, url: str, path: Path) -> None:
    code = "import sys; from lightwork.store.sqlstore import SqlStore; s = SqlStore(sys.argv[1]);"

    run("-c", f"{code} open(sys.argv[2]).close()", url, str(path), environment=opens.environment)

    assert len(opens.past_sqlite()) == 1


def test_nothing_of_the_face_opens_the_file_past_sqlite(
    opens: Opens, url: str, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(FACE)

    done = run(str(script), url, environment=opens.environment)

    assert (done.returncode, done.stderr) == (0, "")
    assert opens.processes() > 0
    assert opens.past_sqlite() == []


VERBS = """
import contextlib, io, json, sys
from lightwork.cli.main import main
from lightwork.store.sqlstore import SqlStore

url = sys.argv[1]

def verb(*words):
    sys.argv = ["lightwork", *words]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        try:
            main()
        except SystemExit as end:
            assert end.code in (None, 0), (words, end.code, said.getvalue())
    return said.getvalue()

verb("db", "init", url)
with SqlStore(url) as store:
    store.summary()
    verb("db", "upgrade", url)
    verb("submit", url, "script:square", "4")
    verb("jobs", url)
    verb("db", "check", url)
    verb("worker", url, "-m", "script", "--burst")
    verb("status", url)
    verb("db", "prune", url, "--older-than", "1h")
    verb("demo", "--url", url, "--limit", "4")
"""


def test_no_verb_opens_the_file_past_sqlite(
    opens: Opens, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "script.py").write_text(FACE)

    done = run("-c", VERBS, url, environment=opens.environment)

    assert done.returncode == 0, done.stderr
    assert opens.processes() > 1
    assert opens.past_sqlite() == []
