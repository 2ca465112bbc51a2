"""`lightwork db`: create, upgrade, check, prune."""

import getpass
import json
import socket
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


def test_settings_are_as_by_default_until_somebody_sets_them(lightwork: Invoke, made: Made) -> None:
    made.ready()

    shown = lightwork("db", "settings").stdout.splitlines()[-1].split()
    found = json.loads(lightwork("db", "settings", "--json").stdout)

    assert shown == ["max_payload", "16,777,216", "16,777,216", "the", "default"]
    assert (found["value"], found["set_by"], found["set_at"]) == (16 * 2**20, "", None)
    assert lightwork("db", "settings", "--quiet").stdout == "max_payload\n"


@pytest.mark.parametrize("order", ["max_payload 4MB {url}", "{url} max_payload 4MB"])
def test_a_setting_says_who_has_set_it(
    lightwork: Invoke, made: Made, store: Store, order: str
) -> None:
    made.ready()

    done = lightwork("db", "set", *order.format(url=store.url).split())

    who = f"{getpass.getuser()}@{socket.gethostname()}"
    assert done.stdout.startswith(f"max_payload is 4,194,304 bytes, set by {who} on 2")
    (setting,) = store.settings()
    assert (setting.value, setting.set_by) == (4 * 2**20, who)


def test_a_payload_beyond_the_setting_is_wrong_use(
    lightwork: Invoke, made: Made, store: Store
) -> None:
    made.ready()
    lightwork("db", "set", "max_payload", "2k")

    done = lightwork("submit", "script:square", json.dumps("x" * 3000))

    assert done.exit_code == 2
    assert "this store takes 2,048 (max_payload, set by " in done.stderr
    assert len(store.jobs()) == 1


def test_default_undoes_a_setting(lightwork: Invoke, made: Made, store: Store) -> None:
    made.ready()
    lightwork("db", "set", "max_payload", "2k")

    done = lightwork("db", "set", "max_payload", "default", "--json")

    assert json.loads(done.stdout)["set_at"] is None
    assert store.settings()[0].value == 16 * 2**20


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("max_paylod 4MB", "there is no setting 'max_paylod'; expected max_payload"),
        ("max_payload much", "a size is a number of bytes"),
        ("max_payload 1GB", "from 1,024 to 16,777,216 bytes"),
        ("max_payload", "name a setting and its value"),
    ],
)
def test_a_setting_that_makes_no_sense_is_wrong_use(
    lightwork: Invoke, made: Made, words: str, said: str
) -> None:
    made.ready()

    done = lightwork("db", "set", *words.split())

    assert done.exit_code == 2
    assert said in done.stderr
