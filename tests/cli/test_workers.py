"""`lightwork workers`: list them, tell some to end."""

import json
from pathlib import Path

import pytest

from cli.conftest import Invoke
from cli.jobs_made import Made
from cli.runs import start
from lightwork.model import State
from lightwork.store.contract import Store
from waiting import wait_until


def test_live_workers_are_listed(lightwork: Invoke, made: Made, store: Store) -> None:
    live, dead = made.worker(), made.worker()
    store.sign_off(dead)

    shown = lightwork("workers")
    found = [json.loads(line) for line in lightwork("workers", "--json").stdout.splitlines()]
    every = lightwork("workers", "list", "--dead", "--quiet").stdout.split()

    assert shown.stdout.splitlines()[1].split("\t")[:3] == ["ada", "live", "0/2"]
    assert [(one["id"], one["state"]) for one in found] == [(str(live), "live")]
    assert set(every) == {str(live), str(dead)}


@pytest.mark.parametrize("by", ["name", "id", "all"])
def test_a_worker_is_told_to_end_once(lightwork: Invoke, made: Made, store: Store, by: str) -> None:
    worker = made.worker()
    word = {"name": "ada", "id": str(worker), "all": "--all"}[by]

    first = lightwork("workers", "drain", word)
    again = lightwork("workers", "drain", word, "--json")

    assert (first.exit_code, first.stdout) == (0, "ada\tis told to end\n")
    assert json.loads(again.stdout) == {"id": str(worker), "name": "ada", "told": False}
    assert store.is_draining(worker)
    assert "draining" in lightwork("workers").stdout
    assert "draining" in lightwork("status").stdout


def test_a_worker_that_nobody_knows_changes_nothing(
    lightwork: Invoke, made: Made, store: Store
) -> None:
    worker = made.worker()

    done = lightwork("workers", "drain", "ada", "bob")

    assert done.exit_code == 2
    assert "no live worker is called bob; live: ada" in done.stderr
    assert not store.is_draining(worker)


def test_status_says_that_work_waits_for_workers_that_only_drain(
    lightwork: Invoke, made: Made, store: Store
) -> None:
    made.ready()
    store.drain([made.worker()])

    done = lightwork("status")

    assert done.exit_code == 1


@pytest.mark.process
def test_a_drained_worker_runs_what_it_holds_and_ends_well(
    folder: Path, store: Store, made: Made, lightwork: Invoke
) -> None:
    held = made.ready(str(folder), task="script:hold")
    with start("worker", "-m", "script", "-j", "1", "--name", "eve", folder=folder) as worker:
        wait_until((folder / "begun").exists, "it runs")
        later = made.ready(3)

        lightwork("workers", "drain", "eve")
        wait_until(
            lambda: "stopping" in str(worker.stderr and worker.stderr.readline()), "it heard"
        )
        (folder / "end").touch()

        assert worker.wait(90) == 0
    assert store.states([held, later]) == {held: State.SUCCEEDED, later: State.READY}
