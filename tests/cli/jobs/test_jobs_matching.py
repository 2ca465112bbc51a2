"""`lightwork jobs retry` and `cancel` of all jobs that match, instead of by their ids."""

import json
import sqlite3
from pathlib import Path

import pytest

from cli.conftest import Invoke
from cli.jobs_made import Made
from lightwork.model import State
from lightwork.store.contract import Store


def test_all_that_has_not_ended_is_cancelled(lightwork: Invoke, made: Made, store: Store) -> None:
    running, later, ready, good = made.running(), made.retried(), made.ready(), made.succeeded()

    done = lightwork("jobs", "cancel", "--all")

    assert done.exit_code == 0
    assert "2 jobs are cancelled; 1 that run was asked to stop" in done.stderr
    assert store.states([running, later, ready, good]) == {
        running: State.RUNNING,
        later: State.CANCELLED,
        ready: State.CANCELLED,
        good: State.SUCCEEDED,
    }


@pytest.mark.parametrize(
    "words",
    [("--state", "ready"), ("--task", "script:other"), ("--queue", "mail"), ("--since", "1h")],
)
def test_a_filter_chooses_what_is_cancelled(
    lightwork: Invoke, made: Made, store: Store, folder: Path, words: tuple[str, ...]
) -> None:
    other = made.retried()
    with sqlite3.connect(folder / "lightwork.db") as connection:
        connection.execute("UPDATE job SET created_at = 1")
    mine = made.ready(task="script:other", queue="mail")

    done = lightwork("jobs", "cancel", *words, "--json")

    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"id": str(mine), "state": "cancelled"}
    ]
    assert store.states([other]) == {other: State.SCHEDULED}


def test_what_failed_long_ago_stays(
    lightwork: Invoke, made: Made, store: Store, folder: Path
) -> None:
    old = made.failed()
    with sqlite3.connect(folder / "lightwork.db") as connection:
        connection.execute("UPDATE outcome SET finished_at = 1")
    new = made.failed()

    done = lightwork("jobs", "retry", "--failed", "--since", "2h")

    assert "1 job is ready again" in done.stderr
    assert store.states([old, new]) == {old: State.FAILED, new: State.READY}


def test_what_was_cancelled_is_made_ready_again(
    lightwork: Invoke, made: Made, store: Store
) -> None:
    job_id, bad = made.ready(), made.failed()
    store.cancel([job_id])

    lightwork("jobs", "retry", "--cancelled")

    assert store.states([job_id, bad]) == {job_id: State.READY, bad: State.FAILED}


def test_what_cannot_be_retried_is_skipped_and_told(
    lightwork: Invoke, made: Made, store: Store
) -> None:
    first, second = made.failed_of_one_key(), made.failed_of_one_key()

    done = lightwork("jobs", "retry", "--failed", "--json")

    assert sorted(done.stdout.splitlines()) == sorted(
        [
            json.dumps({"id": str(first), "state": "ready"}, separators=(",", ":")),
            json.dumps(
                {
                    "id": str(second),
                    "state": "failed",
                    "hindrance": "unique",
                    "hindered_by": str(first),
                },
                separators=(",", ":"),
            ),
        ]
    )
    assert "1 job is ready again; 1 was skipped" in done.stderr
    people = lightwork("jobs", "retry", "--failed").stdout
    assert people == (
        f"2\tfailed\tskipped: job {first} holds its unique key; "
        "wait for its end, or cancel it, and retry\n"
    )


def test_children_are_retried_with_parents_of_a_later_batch(
    lightwork: Invoke, made: Made, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightwork.cli.jobs.matching._BATCH", 1)
    parent = made.failed()
    child = made.failed_child_of(parent)

    done = lightwork("jobs", "retry", "--failed")

    assert "2 jobs are ready again\n" in done.stderr
    assert store.states([parent, child]) == {parent: State.READY, child: State.BLOCKED}


@pytest.mark.parametrize("words", [("--all",), ("--state", "ready"), ("--since", "1h")])
def test_a_filter_and_ids_are_one_too_many(
    lightwork: Invoke, made: Made, store: Store, words: tuple[str, ...]
) -> None:
    job_id = made.ready()

    done = lightwork("jobs", "cancel", *words, job_id)

    assert (done.exit_code, store.states([job_id])) == (2, {job_id: State.READY})


def test_the_list_shows_what_ended_lately(lightwork: Invoke, made: Made, folder: Path) -> None:
    made.failed()
    with sqlite3.connect(folder / "lightwork.db") as connection:
        connection.execute("UPDATE outcome SET finished_at = 1")
    new = made.failed()

    assert lightwork("jobs", "--since", "1h", "--quiet").stdout.split() == [str(new)]
