"""Servers that are restarted: whoever has a key goes on by himself, and programs wait for the moment."""

import threading

import pytest

from lightwork.clock import monotonic
from lightwork.errors import StoreError, StoreUnavailable
from lightwork.net.client import calls
from lightwork.net.client.client import ServerStore
from lightwork.net.client.seal import KeySeal
from lightwork.net.keys.keyring import Keyring, from_authkey
from lightwork.net.server.app import App
from lightwork.net.server.gate import Admitted, KeyGate
from lightwork.net.server.request import Request
from lightwork.net.wire import media
from lightwork.net.wire.failures import Failure, Refused
from lightwork.store.contract import Store
from net.client.scripted import ABOUT, Heard, scripted
from net.keys.pairs import AUTHKEY
from net.served import served
from store.steps import new_job
from waiting import wait_until


def keyed(database: Store) -> App:
    return App(database, gate=KeyGate(Keyring([AUTHKEY])))


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


@pytest.mark.parametrize("size", [100, 10_000, 8_000_000])
def test_a_server_that_was_restarted_is_told_anew_who_asks(database: Store, size: int) -> None:
    with served(keyed(database)) as url:
        store = ServerStore(url, seal=KeySeal(from_authkey(AUTHKEY)))
        store.submit([new_job()])
    with store, served(keyed(database), port_of(url)):
        assert store.submit([new_job(payload=b"x" * size)]) == [True]


class Forgetful(KeyGate):
    """Of a server, or somebody before it, who knows nobody."""

    status = 401

    def admit(self, request: Request) -> Admitted:
        if request.path.endswith("submit"):
            raise Refused(self.status, "AuthError", "who are you?")
        return super().admit(request)


class Narrow(Forgetful):
    status = 413


@pytest.mark.parametrize(
    ("gate", "error", "text"),
    [(Forgetful, StoreUnavailable, "knows no session"), (Narrow, StoreError, "a proxy")],
)
def test_who_is_told_without_end_that_he_is_unknown_gives_up(
    database: Store, gate: type[KeyGate], error: type[StoreError], text: str
) -> None:
    app = App(database, gate=gate(Keyring([AUTHKEY])))
    with (
        served(app) as url,
        ServerStore(url, seal=KeySeal(from_authkey(AUTHKEY))) as store,
        pytest.raises(error, match=text),
    ):
        store.submit([new_job()])


def test_a_program_waits_for_a_server_that_is_restarted(database: Store) -> None:
    kept: list[bool] = []
    with served(App(database)) as url:
        store = ServerStore(url)
    submitting = threading.Thread(target=lambda: kept.extend(store.submit([new_job()])))
    with store:
        submitting.start()
        wait_until(lambda: is_away(store), "it has found nobody")
        with served(App(database), port_of(url)):
            submitting.join(30)

    assert kept == [True]


def is_away(store: ServerStore) -> bool:
    return store.calls._calls._patience._away > 0


def test_a_server_that_is_gone_is_waited_for_once(
    database: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "RESTART_SECONDS", 0.3)
    with served(App(database)) as url:
        store = ServerStore(url)
    waited = []
    with store:
        for _ in range(2):
            began = monotonic()
            with pytest.raises(StoreUnavailable, match="running there"):
                store.submit([new_job()])
            waited.append(monotonic() - began)

    assert waited[1] < 0.3 <= waited[0]


def test_whoever_ends_waits_for_no_server(database: Store) -> None:
    errors: list[BaseException] = []

    def submit() -> None:
        try:
            store.submit([new_job()])
        except StoreError as error:
            errors.append(error)

    with served(App(database)) as url:
        store = ServerStore(url)
    submitting = threading.Thread(target=submit)
    submitting.start()
    wait_until(lambda: is_away(store), "it has found nobody")
    store.close()
    submitting.join(5)

    assert not submitting.is_alive()
    assert "was closed" in str(errors[0])


def test_a_submit_that_was_under_way_at_a_restart_is_asked_anew() -> None:
    lines: list[str] = []
    failure = Failure("StoreUnavailable", "started anew", {"server": "server-2"})
    restarted = media.encode(failure, media.MSGPACK)
    known = media.encode({"result": [False]}, media.MSGPACK)

    def script(heard: Heard) -> None:
        lines.append(heard.request())
        if heard.number == 0:
            heard.answer(ABOUT)
            lines.append(heard.request())
            return
        head = f"HTTP/1.1 503 Unavailable\r\ncontent-length: {len(restarted)}\r\n\r\n"
        heard.raw.sendall(head.encode() + restarted)
        lines.append(heard.request())
        heard.answer(known)
        heard.request()

    with scripted(script) as url, ServerStore(url) as store:
        # It was kept before the end of the first server: the ids say so.
        assert store.submit([new_job()]) == [False]

    _, first, again, anew = lines
    assert f"{first.split()[1]}&first=server-1 " in again
    assert "first=" not in anew
    assert first.split()[1] not in anew
