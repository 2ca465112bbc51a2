"""Several programs on one store: none ends, runs or answers for the jobs of another."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightwork.model import State
from lightwork.store.sqlstore import SqlStore
from lightwork.tasks.names import short_name

SCRIPT = """
import os, sys
import lightwork as lw

@lw.task
def square(n: int) -> str:
    return f"{FOLDER} {n * n}"

def main(url, numbers, workers):
    ex = lw.executor(url, workers=workers)
    results = ex.map(square, map(int, numbers), key="k")
    if not workers:
        # As killed half-way: nothing is cancelled, nobody waits.
        os._exit(9)
    with ex:
        print(*results, sep=",")

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[3:], "threads:1" if sys.argv[2] else 0)
"""


def program(folder: Path, *, name: str = "script") -> Path:
    folder.mkdir()
    path = folder / f"{name}.py"
    path.write_text(SCRIPT.replace("FOLDER", f"'{folder.name}'"))
    return path


def run(*words: object, code: str = "", check: bool = True) -> str:
    command = [sys.executable, *(["-c", code] if code else []), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert not check or done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout.strip()


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    with SqlStore(url) as opened:
        yield opened


def states(store: SqlStore) -> dict[str, State]:
    return {view.task.rpartition("@")[2]: view.state for view in store.jobs()}


@pytest.mark.parametrize("name", ["script", "other"])
def test_jobs_of_a_killed_program_survive_the_next_one_and_are_run_by_it_itself(
    url: str, store: SqlStore, tmp_path: Path, name: str
) -> None:
    one, two = program(tmp_path / "one"), program(tmp_path / "two", name=name)
    run(one, url, "", 2, 3, check=False)

    assert run(two, url, "work", 5) == "two 25"

    assert states(store) == {str(one): State.READY, str(two): State.SUCCEEDED}
    assert run(one, url, "work", 2, 3) == "one 4,one 9"


def test_two_sessions_do_not_answer_for_each_other(url: str, store: SqlStore) -> None:
    session = SCRIPT.replace("FOLDER", "'here'")
    run(url, "", 2, code=session, check=False)

    assert run(url, "work", 5, code=session) == "here 25"

    tasks = {view.task: view.state for view in store.jobs()}
    assert sorted(tasks.values()) == [State.READY, State.SUCCEEDED]
    assert {short_name(task) for task in tasks} == {"__main__:square"}


def test_a_script_runs_what_was_submitted_by_its_plain_name(
    url: str, store: SqlStore, tmp_path: Path
) -> None:
    script = program(tmp_path / "one")
    run("-m", "lightwork", "submit", url, "script:square", 4)

    run(script, url, "work", 5)

    assert {view.task: view.state for view in store.jobs()} == {
        "script:square": State.SUCCEEDED,
        f"script:square@{script}": State.SUCCEEDED,
    }


def test_a_program_that_imports_the_script_runs_jobs_of_that_very_file(
    url: str, store: SqlStore, tmp_path: Path
) -> None:
    script, namesake = program(tmp_path / "one"), program(tmp_path / "two")
    for path in (script, namesake):
        run(path, url, "", 2, check=False)
    importing = (
        "import sys; sys.path.insert(0, sys.argv[2]); import script\n"
        "import lightwork as lw\n"
        "with lw.executor(sys.argv[1], workers='threads:1') as ex:\n"
        "    print(ex.future(sys.argv[3]).result(60))\n"
    )
    (job_id,) = [view.id for view in store.jobs() if view.task.endswith(str(script))]

    assert run(url, script.parent, job_id, code=importing) == "one 4"

    assert states(store) == {str(script): State.SUCCEEDED, str(namesake): State.READY}


def test_a_worker_that_was_told_the_module_runs_every_script_of_that_name(
    url: str, store: SqlStore, tmp_path: Path
) -> None:
    script, namesake = program(tmp_path / "one"), program(tmp_path / "two")
    for path in (script, namesake):
        run(path, url, "", 2, check=False)
    worker = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "import lightwork as lw\n"
        "lw.Worker(sys.argv[1], executor='threads:1', modules=['script'], burst=True).run()\n"
    )

    run(url, script.parent, code=worker)

    assert set(states(store).values()) == {State.SUCCEEDED}


def test_a_task_that_no_module_has_under_its_name_is_run_by_the_program_itself(
    url: str, tmp_path: Path
) -> None:
    script = tmp_path / "made.py"
    script.write_text(
        "import sys\nimport lightwork as lw\n"
        "def double(n): return 2 * n\n"
        "tasks = [lw.task(double)]\n"
        "with lw.executor(sys.argv[1], workers='threads:1') as ex:\n"
        "    print(ex.submit(tasks[0], 4).result(60))\n"
        "    def double(n): return 3 * n\n"
        "    print(ex.submit(lw.task(double), 4).result(60))\n"
    )

    assert run(script, url).split() == ["8", "12"]
