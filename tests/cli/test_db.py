"""`lightwork db`: create, upgrade, check, prune."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cli.conftest import Invoke
from cli.jobs_made import Made
from lightwork.model import State
from lightwork.store.contract import Store
from lightwork.store.sql import schema

REVISION = schema.REVISIONS[-1]


def test_init_makes_a_store(lightwork: Invoke, folder: Path) -> None:
    done = lightwork("db", "init")

    assert (done.exit_code, done.stdout) == (
        0,
        f"sqlite:///lightwork.db: ready, revision {REVISION}\n",
    )
    assert (folder / "lightwork.db").is_file()


@pytest.mark.parametrize("verb", ["init", "upgrade"])
def test_what_is_up_to_date_stays_as_it_is(
    lightwork: Invoke, made: Made, store: Store, verb: str
) -> None:
    job_id = made.ready()

    done = lightwork("db", verb, "--json")

    assert json.loads(done.stdout) == {"store": "sqlite:///lightwork.db", "revision": REVISION}
    assert store.states([job_id]) == {job_id: State.READY}


def test_upgrade_makes_the_tables_of_an_empty_file(lightwork: Invoke, folder: Path) -> None:
    (folder / "lightwork.db").touch()

    lightwork("db", "upgrade")

    assert lightwork("db", "check").exit_code == 0


def test_quiet_init_says_nothing(lightwork: Invoke) -> None:
    done = lightwork("db", "init", "--quiet")

    assert done.stdout == ""


def test_repair_says_where_a_damaged_row_has_gone(
    lightwork: Invoke, made: Made, folder: Path
) -> None:
    made.ready()
    with closing(sqlite3.connect(folder / "lightwork.db", isolation_level=None)) as connection:
        connection.execute("UPDATE ready SET crashes = 'three'")

    found = lightwork("db", "check")
    done = lightwork("db", "check", "--repair")

    assert (found.exit_code, found.stdout) == (
        1,
        "1 rows of ready: crashes is not integer: seq 1\n",
    )
    assert (done.exit_code, done.stdout.splitlines()[0]) == (
        0,
        "row 1 of ready is row 1 of damaged now: crashes is not integer",
    )


def test_check_finds_nothing_in_a_sound_store(lightwork: Invoke, made: Made) -> None:
    made.failed()

    done = lightwork("db", "check", "--json")

    assert done.exit_code == 0
    assert json.loads(done.stdout)["problems"] == []


def test_check_tells_what_is_wrong(lightwork: Invoke, made: Made, folder: Path) -> None:
    made.ready()
    with closing(sqlite3.connect(folder / "lightwork.db")) as connection, connection:
        connection.execute("UPDATE ready SET attempt = -1")

    done = lightwork("db", "check")

    assert done.exit_code == 1
    assert "have a negative counter" in done.stdout


def test_prune_goes_on_batch_after_batch(
    lightwork: Invoke, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightwork.cli.db.command._PRUNE_FIRST", 1)
    made.succeeded()
    made.failed()

    done = lightwork("db", "prune", "--older-than", "0s")

    assert done.stdout == "2 jobs deleted\n"


def test_prune_keeps_each_state_as_long_as_it_is_told(
    lightwork: Invoke, made: Made, store: Store, folder: Path
) -> None:
    good, bad = made.succeeded(), made.failed()
    with closing(sqlite3.connect(folder / "lightwork.db")) as connection, connection:
        connection.execute("UPDATE outcome SET finished_at = finished_at - 10 * 86400000")

    for_ever = lightwork("db", "prune", "--keep", "forever")
    by_default = lightwork("db", "prune")
    before = store.states([good, bad])
    by_state = lightwork("db", "prune", "--keep", "failed=1d")

    assert [done.stdout for done in (for_ever, by_default, by_state)] == [
        "0 jobs deleted\n",
        "1 jobs deleted\n",
        "1 jobs deleted\n",
    ]
    assert before == {bad: State.FAILED}


def test_prune_deletes_only_what_is_old_enough(lightwork: Invoke, made: Made, store: Store) -> None:
    ended, waiting = made.succeeded(), made.ready()

    young = lightwork("db", "prune", "--older-than", "7d")
    old = lightwork("db", "prune", "--older-than", "0s", "--json")

    assert young.stdout == "0 jobs deleted\n"
    assert json.loads(old.stdout) == {"pruned": 1}
    assert store.states([ended, waiting]) == {waiting: State.READY}
