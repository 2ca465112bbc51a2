"""Tasks as the command line shows and finds them: short names, and who knows them."""

import json

import pytest

from cli.conftest import Invoke
from cli.jobs_made import Made
from lightwork.model import State
from lightwork.store.contract import Store
from store.steps import execute

ADA = "script:square@/home/ada/script.py"
BOB = "script:square@/home/bob/script.py"


def notes(lightwork: Invoke) -> list[str]:
    return [line.split("\t")[8] for line in lightwork("jobs").stdout.splitlines()[1:]]


def test_a_ready_job_says_that_nobody_will_run_it(lightwork: Invoke, made: Made) -> None:
    made.ready(task="mail:send")
    alone = notes(lightwork)
    made.worker()

    beside = notes(lightwork)

    assert alone == ["no worker is alive"]
    assert beside == ["no live worker knows this task"]


def test_a_ready_job_that_somebody_knows_says_nothing(lightwork: Invoke, made: Made) -> None:
    made.worker()
    made.ready()

    assert notes(lightwork) == [""]


def test_status_tells_what_nobody_has_known_for_long(
    lightwork: Invoke, made: Made, store: Store
) -> None:
    made.worker()
    for _ in range(2):
        made.ready(task=BOB)
    execute(store, "UPDATE job SET created_at = created_at - 5000")

    done = lightwork("status")

    assert done.exit_code == 1
    said = " ".join(done.stdout.split())
    assert (
        "2 ready jobs of script:square: no live worker knows this task; start one in /home/bob: "
        in said
    )


def test_tasks_of_scripts_are_shown_by_their_short_names(lightwork: Invoke, made: Made) -> None:
    job_id = made.ready(task=ADA)

    listed = lightwork("jobs").stdout.splitlines()[1].split("\t")
    shown = lightwork("jobs", "show", job_id).stdout
    document = json.loads(lightwork("jobs", "--json").stdout)

    assert listed[2] == "script:square"
    assert "task       script:square\nof         /home/ada/script.py\n" in shown
    assert document["task"] == ADA


def test_a_short_name_finds_the_tasks_of_all_scripts(lightwork: Invoke, made: Made) -> None:
    for task in (ADA, BOB, "script:square", "script:squared", "Script:square"):
        made.ready(task=task)

    short = lightwork("jobs", "--task", "script:square", "--quiet").stdout.split()
    full = lightwork("jobs", "--task", ADA, "--quiet").stdout.split()

    assert (len(short), len(full)) == (3, 1)


def test_all_that_failed_of_a_task_are_ready_again(
    lightwork: Invoke, made: Made, store: Store
) -> None:
    mine = [made.failed(task=ADA) for _ in range(3)]
    other, cancelled, good = made.failed(task="mail:send"), made.ready(), made.succeeded()
    store.cancel([cancelled])

    done = lightwork("jobs", "retry", "--failed", "--task", "script:square")

    assert (done.exit_code, len(done.stdout.splitlines())) == (0, 3)
    assert "3 jobs are ready again" in done.stderr
    states = store.states([*mine, other, cancelled, good])
    assert [states[job_id] for job_id in mine] == [State.READY] * 3
    assert (states[other], states[cancelled], states[good]) == (
        State.FAILED,
        State.CANCELLED,
        State.SUCCEEDED,
    )


def test_what_failed_is_retried_in_batches(
    lightwork: Invoke, made: Made, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [made.failed() for _ in range(5)]
    monkeypatch.setattr("lightwork.cli.jobs.matching._BATCH", 2)

    done = lightwork("jobs", "retry", "--failed", "--json")

    assert [json.loads(line)["state"] for line in done.stdout.splitlines()] == ["ready"] * 5
    assert set(store.states(ids).values()) == {State.READY}


def test_whoever_waits_on_the_command_line_hears_why(lightwork: Invoke, made: Made) -> None:
    made.worker()
    job_id = made.ready(task="mail:send")

    done = lightwork("jobs", "wait", job_id, "--timeout", "2.5s")

    assert done.exit_code == 1
    assert done.stderr.count("1 ready job of mail:send: no live worker knows this task") == 1


def test_failed_and_ids_are_one_too_many(lightwork: Invoke, made: Made, store: Store) -> None:
    job_id = made.failed()

    for words in (("--failed", job_id), (job_id, "--task", "script:square"), ()):
        assert lightwork("jobs", "retry", *words).exit_code == 2

    assert store.states([job_id]) == {job_id: State.FAILED}
