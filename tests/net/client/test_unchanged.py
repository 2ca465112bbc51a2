"""Unchanged: a worker that has nothing to do asks nothing, until there may be something."""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lightwork.net.client.client import ServerStore
from lightwork.net.client.unchanged import GOOD_SECONDS, Unchanged
from lightwork.store.contract import Store
from store.steps import new_job, registered
from waiting import wait_until

NOTHING: list[int] = []


@pytest.fixture
def asked(client: ServerStore, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the server was asked, but for polls."""
    names: list[str] = []
    call = client.calls.call

    def noted(name: str, given: dict[str, Any]) -> Any:
        names.append(name)
        return call(name, given)

    monkeypatch.setattr(client.calls, "call", noted)
    return names


@contextmanager
def watched(client: ServerStore) -> Iterator[None]:
    """Somebody waits for changes, as a worker does."""
    over = threading.Event()

    def watch() -> None:
        seen = -1
        while not over.is_set():
            seen = client.wait_for_change(seen, 0.05)

    thread = threading.Thread(target=watch)
    thread.start()
    wait_until(lambda: client._changes.followed() is not None, "a poll is parked")
    yield
    over.set()
    thread.join(30)


def test_an_idle_worker_asks_once_whether_there_is_anything(
    client: ServerStore, asked: list[str]
) -> None:
    worker = registered(client)
    with watched(client):
        wait_until(lambda: _asks_nothing(client, worker, asked), "nothing is asked any more")


def test_a_change_is_seen_by_the_next_question(
    client: ServerStore, database: Store, asked: list[str]
) -> None:
    worker = registered(client)
    with watched(client):
        wait_until(lambda: _asks_nothing(client, worker, asked), "nothing is asked any more")
        database.submit([new_job()])
        database.drain([worker])

        wait_until(lambda: client.lanes(["default"]), "the job is seen")
        wait_until(lambda: client.is_draining(worker), "it is seen that it is to end")


def test_what_nobody_follows_is_asked_each_time(client: ServerStore, asked: list[str]) -> None:
    worker = registered(client)
    asked.clear()
    for _ in range(3):
        client.lanes(["default"])
        client.is_draining(worker)

    assert asked == ["lanes", "is_draining"] * 3


def test_what_there_is_is_asked_each_time() -> None:
    said = Unchanged(lambda: 1)

    assert said.ask("x", lambda: [1], nothing=NOTHING) == [1]
    assert said.ask("x", lambda: [2], nothing=NOTHING) == [2]


def test_a_change_while_it_is_asked_is_not_lost() -> None:
    number = 1
    said = Unchanged(lambda: number)

    def ask() -> list[int]:
        nonlocal number
        number += 1
        return []

    said.ask("x", ask, nothing=NOTHING)
    assert said.ask("x", lambda: [7], nothing=NOTHING) == [7]


def test_nothing_is_believed_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("lightwork.net.client.unchanged.monotonic", lambda: now)
    said = Unchanged(lambda: 1)
    said.ask("x", lambda: NOTHING, nothing=NOTHING)
    believed = said.ask("x", lambda: [7], nothing=NOTHING)
    now = GOOD_SECONDS

    assert (believed, said.ask("x", lambda: [7], nothing=NOTHING)) == ([], [7])


def _asks_nothing(client: ServerStore, worker: uuid.UUID, asked: list[str]) -> bool:
    asked.clear()
    assert client.lanes(["default"]) == []
    assert client.is_draining(worker) is False
    return asked == []
