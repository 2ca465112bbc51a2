"""What locks, queues, dicts and values did under kills and cut cables has an order that is right.

LIGHTWORK_HISTORY_FAULTS says how many faults each run suffers, LIGHTWORK_HISTORY_SEED which ones, and what clients
ask for (a failure names its seed: the same is done again, the instants are not the same).
"""

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from chaos.world import ServeProcess
from leftovers import nothing_left_by
from lightwork.store import sqlstore
from lightwork.sync.runtime_folder import VARIABLE
from net.served import offered, shared
from store.databases import mariadb_url, path, postgresql_url, sqlite_url
from store.private_servers import PrivateServer, private
from store.proxy import proxy
from sync.histories.linearizable import Operation, why_not
from sync.histories.models import model_of
from sync.histories.world import World, losing_answers, world
from sync.programs import end_broker

__all__ = ["mariadb_url", "path", "postgresql_url", "private", "sqlite_url"]

pytestmark = [pytest.mark.process, pytest.mark.chaos]

FAULTS = int(os.environ.get("LIGHTWORK_HISTORY_FAULTS", "2"))
SEED = int(os.environ.get("LIGHTWORK_HISTORY_SEED", "0")) or random.randrange(1, 1 << 30)
CLIENTS = 2


@pytest.fixture(autouse=True)
def leftovers(request: pytest.FixtureRequest) -> Iterator[None]:
    if "http" in request.node.name:
        # Before anybody looks what there is: it stays for other tests.
        shared()
    with nothing_left_by(request):
        yield


@pytest.fixture
def http_url(sqlite_url: str) -> Iterator[str]:
    """A server of a store in a file."""
    with closing(sqlstore.open_store(sqlite_url)) as behind, offered(behind) as url:
        yield url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "histories"
    made.mkdir()
    return made


def test_threads(folder: Path) -> None:
    with world(folder, "threads", SEED) as at:
        at.wait_for(at.start(threads=4))
        at.suffer([lambda: None], FAULTS)

        # Nothing of it outlives its process.
        _check(at.end(but_look=False))


def test_processes_that_are_killed_and_their_broker(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    monkeypatch.setenv(VARIABLE, str(run))
    try:
        with world(folder, "processes", SEED) as at:
            _start(at)
            at.suffer([at.kill_a_client, at.kill_a_client, lambda: at.kill_the_broker(run)], FAULTS)

            _check(at.end())
    finally:
        end_broker(run)


def test_a_file_whose_users_are_killed(folder: Path, sqlite_url: str) -> None:
    with world(folder, sqlite_url, SEED) as at:
        _start(at)
        at.suffer([at.kill_a_client], FAULTS)

        _check(at.end())


@pytest.mark.parametrize("kind", ["postgresql", "mariadb", "http"])
def test_a_server_whose_users_are_killed_and_cut_off(
    folder: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    url = str(request.getfixturevalue(f"{kind}_url"))
    with proxy(url) as line, world(folder, line.url, SEED) as at:
        _start(at)
        with losing_answers(line, at.chance):
            at.suffer([at.kill_a_client, line.cut, line.cut], FAULTS)

        _check(at.end())


@pytest.mark.parametrize("kind", ["postgresql", "mariadb", "http"])
def test_a_server_that_is_killed_and_started_again(
    folder: Path, tmp_path: Path, kind: str, private: Callable[[str], PrivateServer]
) -> None:
    with ExitStack() as undo:
        if kind == "http":
            server: ServeProcess | PrivateServer = ServeProcess(
                f"sqlite:///{tmp_path}/work.db", tmp_path
            )
            undo.callback(server.end)  # type: ignore[union-attr]
            url = server.url  # type: ignore[union-attr]
        else:
            server = private(kind)
            url = undo.enter_context(server.database())
        # Some sessions outlive the server, and some do not.
        at = undo.enter_context(world(folder, url, SEED, lease=4.0))
        _start(at)

        def kill_it() -> None:
            server.restart(signal.SIGKILL)

        at.suffer([kill_it, kill_it, at.kill_a_client], FAULTS)
        kill_it()

        _check(at.end())


def _start(at: World) -> None:
    for number in [at.start() for _ in range(CLIENTS)]:
        at.wait_for(number)


def _check(history: dict[str, list[Operation]]) -> None:
    counts = {key: len(operations) for key, operations in history.items()}
    print(f"seed {SEED}: {counts}")  # noqa: T201 - for whoever looks how much was done
    assert sum(counts.values()) > 100
    for key, operations in history.items():
        wrong = why_not(operations, *model_of(key))
        assert not wrong, f"LIGHTWORK_HISTORY_SEED={SEED}: {key}: {wrong}"
