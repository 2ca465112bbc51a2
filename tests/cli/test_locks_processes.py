"""`lightwork locks processes`: what the processes of this machine share."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.conftest import Invoke
from leftovers import nothing_left_by
from lightwork.sync.broker.shortcuts import ArenaBroker
from lightwork.sync.runtime_folder import VARIABLE
from sync.programs import Program, broker_of, broker_pid, programs

pytestmark = pytest.mark.process


@pytest.fixture(autouse=True)
def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # After `folder`, which clears the environment.
    path = folder / "run"
    monkeypatch.setenv(VARIABLE, str(path))
    return path


@pytest.fixture(autouse=True)
def host(run: Path, request: pytest.FixtureRequest) -> Iterator[ArenaBroker]:
    with nothing_left_by(request), broker_of(run) as broker:
        yield broker


@pytest.fixture
def program(host: ArenaBroker) -> Iterator[Program]:
    with programs(1) as (started,):
        yield started


def test_nothing_is_started_and_nothing_listed(lightwork: Invoke, run: Path) -> None:
    done = lightwork("locks", "processes", "--json")

    assert (done.exit_code, done.stdout) == (0, "")
    assert not broker_pid(run)


def test_the_list_has_the_columns_of_a_stores(lightwork: Invoke, program: Program) -> None:
    token, _ = program.do("lock('balance').acquire(None)")
    program.do("host.ask(machine('small'), 'acquire')")

    title, *lines = [
        line.split("\t") for line in lightwork("locks", "processes").stdout.split("\n")
    ]

    session = program.do("host.session.hex()[:8]")
    holder = f"{socket.gethostname()}:{program.pid}"
    assert title == ["KIND", "NAME", "HOLDER", "SESSION", "TOKEN", "WAITING", "SINCE"]
    assert lines[0] == ["lock", "balance", holder, "", str(token), "", ""]
    assert lines[1][:6] == ["lock", "small", holder, session, "1", ""]
    assert lines[1][6]


def test_the_list_is_json_on_request(lightwork: Invoke, program: Program) -> None:
    token, _ = program.do("lock('balance').acquire(None)")

    (found,) = map(json.loads, lightwork("locks", "processes", "--json").stdout.splitlines())

    assert found == {
        "kind": "lock",
        "name": "balance",
        "holders": [
            {"host": socket.gethostname(), "pid": program.pid, "session": "", "is_live": True}
        ],
        "token": token,
        "waiting": None,
        "since": None,
    }
    assert lightwork("locks", "list", "processes", "--quiet").stdout == "balance\n"


@pytest.mark.parametrize(
    "words", [("release", "it", "processes"), ("processes", "release", "it")], ids=" ".join
)
def test_a_lock_of_the_broker_is_released(
    lightwork: Invoke, program: Program, words: tuple[str, ...]
) -> None:
    program.do("host.ask(machine('it'), 'acquire')")

    assert lightwork("locks", *words).stdout == "it is released\n"
    assert lightwork("locks", *words).stdout == "it was free\n"


def test_a_lock_of_the_kernel_names_the_process_that_alone_lets_go(
    lightwork: Invoke, program: Program
) -> None:
    program.do("lock('it').acquire(None)")

    done = lightwork("locks", "release", "it", "processes")

    assert done.exit_code == 2
    assert f"held by process {program.pid}" in done.stderr


def test_what_there_is_not_is_told(lightwork: Invoke) -> None:
    done = lightwork("locks", "release", "nothing", "processes")

    assert done.exit_code == 2
    assert "no lock 'nothing'" in done.stderr


def test_nothing_is_removed_there(lightwork: Invoke) -> None:
    done = lightwork("locks", "remove", "it", "processes")

    assert done.exit_code == 2
    assert "ends with the last of them" in done.stderr


def test_a_word_that_is_no_place_is_told_which_are(lightwork: Invoke) -> None:
    done = lightwork("locks", "threads")

    assert done.exit_code == 2
    assert "neither a URL nor one of processes, list" in done.stderr
