"""`lightwork worker`: real workers, real signals."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from cli.jobs_made import Made
from cli.runs import SOURCES, read_until, run, start
from lightwork.model import State
from lightwork.store.contract import Store
from waiting import wait_until

pytestmark = pytest.mark.process

WORKER = ("worker", "-m", "script", "-j", "1")


def test_burst_does_all_there_is_and_ends(folder: Path, store: Store, made: Made) -> None:
    ids = [made.ready(number) for number in range(5)]

    done = run(*WORKER, "--burst", folder=folder)

    assert done.returncode == 0
    assert set(store.states(ids).values()) == {State.SUCCEEDED}


def test_it_says_what_it_is_before_it_works(folder: Path, store: Store) -> None:
    done = run(*WORKER, "--burst", "-q", "mail", "-q", "default", folder=folder)

    said = " ".join(done.stderr.split())
    url = f"sqlite:///{folder}/lightwork.db"
    assert f"lightwork 0.1.0 worker store {url} slots 1 processes" in said
    assert "queues mail, default tasks script:fail, script:greet, script:hold" in said
    assert "stop Ctrl-C or SIGTERM: running jobs get 25 s; again: at once" in said


def test_each_end_is_one_line_without_colours(folder: Path, made: Made) -> None:
    made.ready(3)
    made.ready("no\x1b[31m\nwise", task="script:fail")

    done = run(*WORKER, "--burst", folder=folder)

    lines = [line[9:] for line in done.stderr.splitlines() if line[2:3] == ":"]
    assert any(line.startswith("succeeded script:square job 1 attempt 1 after ") for line in lines)
    assert "failed script:fail job 2 attempt 1 ValueError: no\\x1b[31m" in lines


FAMILY = """
import lightwork as lw

@lw.task
async def child(n: int) -> int:
    return n

@lw.task
async def parent(url: str) -> int:
    with lw.executor(url) as ex:
        return await ex.submit(child, 7)
"""


def test_one_slot_is_enough_for_a_coroutine_and_the_job_that_it_awaits(
    folder: Path, store: Store, made: Made
) -> None:
    (folder / "family.py").write_text(FAMILY)
    job_id = made.ready(store.url, task="family:parent")

    run("worker", "-m", "family", "-j", "1", "--burst", folder=folder)

    assert store.states([job_id]) == {job_id: State.SUCCEEDED}


def test_an_end_is_told_once(folder: Path, made: Made) -> None:
    made.ready(3)

    done = run(*WORKER, "--burst", folder=folder)

    assert done.stderr.count("job 1 ") == 1


def test_modules_of_this_folder_are_found_by_the_installed_script(
    folder: Path, store: Store, made: Made
) -> None:
    # Unlike `python -m`, an installed script does not begin with this folder on its path.
    job_id = made.ready(3)

    run(*WORKER, "--burst", folder=folder, PYTHONSAFEPATH="1")

    assert store.states([job_id]) == {job_id: State.SUCCEEDED}


def test_quiet_says_nothing(folder: Path, made: Made) -> None:
    made.ready(3)

    done = run(*WORKER, "--burst", "--quiet", folder=folder)

    assert (done.stdout, done.stderr) == ("", "")


def test_json_is_one_object_a_line(folder: Path, made: Made) -> None:
    job_id = made.ready("oh", task="script:fail")

    done = run(*WORKER, "--burst", "--json", folder=folder)

    events = {event["event"]: event for event in map(json.loads, done.stdout.splitlines())}
    assert events["worker_starting"]["slots"] == 1
    assert (events["job_failed"]["job"], events["job_failed"]["seq"]) == (str(job_id), 1)
    assert events["job_failed"]["error"] == {"type": "ValueError", "text": "oh"}


def test_a_job_of_an_unknown_task_stays_and_the_worker_says_so_once(
    folder: Path, store: Store, made: Made
) -> None:
    job_id = made.ready(task="script:nothing")

    done = run(*WORKER, "--burst", folder=folder)

    assert store.states([job_id]) == {job_id: State.READY}
    assert done.stderr.count("task unknown task=script:nothing") == 1
    assert "a plain function needs --allow script" in done.stderr


def test_allowed_plain_functions_run(folder: Path, store: Store, made: Made) -> None:
    (folder / "simple.py").write_text("def double(n):\n    return 2 * n\n")
    job_id = made.ready(4, task="simple:double")

    run("worker", "--allow", "simple", "--burst", "--threads", "1", folder=folder)

    assert store.states([job_id]) == {job_id: State.SUCCEEDED}


@pytest.mark.parametrize("kind", [("-j", "1"), ("--threads", "1")], ids=["process", "thread"])
def test_sigterm_lets_the_running_job_finish(
    folder: Path, store: Store, made: Made, kind: tuple[str, str]
) -> None:
    job_id = made.ready(str(folder), task="script:hold")

    with start("worker", "-m", "script", *kind, folder=folder) as worker:
        wait_until((folder / "begun").exists, "the job runs")
        worker.send_signal(signal.SIGTERM)
        read_until(worker, "worker stopping")
        (folder / "end").touch()
        errors = worker.communicate(timeout=60)[1]

    assert worker.returncode == 0
    assert "Traceback" not in errors
    assert store.states([job_id]) == {job_id: State.SUCCEEDED}


def test_ctrl_c_of_a_terminal_lets_the_running_job_finish(
    folder: Path, store: Store, made: Made
) -> None:
    # A terminal signals every process of the group, the children's too if they were in it.
    job_id = made.ready(str(folder), task="script:hold")

    with start(*WORKER, folder=folder) as worker:
        wait_until((folder / "begun").exists, "the job runs")
        os.killpg(worker.pid, signal.SIGINT)
        read_until(worker, "worker stopping")
        (folder / "end").touch()
        worker.communicate(timeout=60)

    assert worker.returncode == 0
    assert store.states([job_id]) == {job_id: State.SUCCEEDED}


def test_the_second_ctrl_c_stops_at_once_and_hands_back(
    folder: Path, store: Store, made: Made
) -> None:
    job_id = made.ready(str(folder), task="script:hold")

    with start(*WORKER, "--grace", "1h", folder=folder) as worker:
        wait_until((folder / "begun").exists, "the job runs")
        os.killpg(worker.pid, signal.SIGINT)
        read_until(worker, "worker stopping")
        os.killpg(worker.pid, signal.SIGINT)
        errors = worker.communicate(timeout=60)[1]

    assert worker.returncode == 0
    assert "Traceback" not in errors
    assert store.states([job_id]) == {job_id: State.READY}


def test_what_has_not_begun_is_handed_back_unused(folder: Path, store: Store, made: Made) -> None:
    made.ready(str(folder), task="script:hold")
    waiting = made.ready(3)

    with start(*WORKER, folder=folder) as worker:
        wait_until((folder / "begun").exists, "the first job runs")
        worker.send_signal(signal.SIGTERM)
        read_until(worker, "worker stopping")
        (folder / "end").touch()
        worker.communicate(timeout=60)

    view = store.job(waiting)
    assert view is not None
    assert (view.state, view.failures, view.crashes) == (State.READY, 0, 0)


def test_the_root_logger_is_left_to_the_tasks(folder: Path, made: Made) -> None:
    (folder / "talking.py").write_text(
        "import logging\nlogging.basicConfig(format='MINE %(message)s', level='INFO')\n"
        "logging.info('mine')\nfrom script import square\n"
    )
    made.ready(3)

    done = run("worker", "-m", "talking", "--burst", folder=folder)

    assert [line for line in done.stderr.splitlines() if "MINE" in line] == ["MINE mine"]


def test_the_key_of_a_file_signs_and_verifies(folder: Path, store: Store) -> None:
    (folder / "keyed.py").write_text(
        "import lightwork as lw\n\n\nclass Thing:\n    pass\n\n\n"
        "@lw.task\ndef make() -> Thing:\n    return Thing()\n"
    )
    key = folder / "key"
    key.write_text("0123456789abcdef0123456789abcdef")
    key.chmod(0o600)
    run("submit", "keyed:make", folder=folder)

    done = run("worker", "-m", "keyed", "--burst", "--authkey-file", "key", "--json", folder=folder)

    assert '"job_succeeded"' in done.stdout


def test_a_key_that_others_may_read_is_refused(folder: Path) -> None:
    (folder / "key").write_text("0123456789abcdef")
    (folder / "key").chmod(0o644)

    done = run(*WORKER, "--authkey-file", "key", folder=folder)

    assert done.returncode == 2
    assert "chmod 600" in done.stderr


def test_middleware_is_named_by_module_and_function(folder: Path, made: Made) -> None:
    (folder / "around.py").write_text(
        "import contextlib, sys\n"
        "@contextlib.contextmanager\n"
        "def shout(attempt, task):\n"
        "    print('around', task.name, file=sys.stderr, flush=True)\n"
        "    yield\n"
    )
    made.ready(3)

    done = run(*WORKER, "--burst", "--middleware", "around:shout", folder=folder)

    assert "around script:square" in done.stderr


def test_middleware_that_is_not_there_is_wrong_use(folder: Path, made: Made) -> None:
    done = run(*WORKER, "--burst", "--middleware", "script:shout", folder=folder)

    assert done.returncode == 2
    assert "has no 'shout'" in done.stderr


def test_a_worker_whose_code_was_replaced_hands_its_job_back_and_ends(
    folder: Path, store: Store, made: Made
) -> None:
    copy = folder / "installed"
    shutil.copytree(SOURCES / "lightwork", copy / "lightwork")
    of_child = copy / "lightwork" / "work" / "runner.py"
    old = of_child.read_text()
    first = made.ready(3)

    with start(
        *WORKER, "--max-calls", "1", folder=folder, environment={"PYTHONPATH": str(copy)}
    ) as (worker):
        read_until(worker, "succeeded")
        of_child.write_text("raise TypeError('this is of another version')")
        second = made.ready(4)
        said = worker.communicate(timeout=90)[1]
    held = store.states([first, second])
    of_child.write_text(old)
    done = run(*WORKER, "--burst", folder=folder, PYTHONPATH=str(copy))

    assert worker.returncode == 1
    assert "was replaced on disk while this program ran" in said
    assert "Traceback" not in said
    assert held == {first: State.SUCCEEDED, second: State.READY}
    assert "succeeded script:square job 2 attempt 2 " in done.stderr
