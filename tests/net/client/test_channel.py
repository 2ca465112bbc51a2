"""Connections that break, hang and are inherited: each a scar of other clients."""

import os
import socket
import threading
import time
import uuid

import pytest

from lightwork.errors import StoreError, StoreUnavailable, UsageError
from lightwork.net.client import calls, channel
from lightwork.net.client.client import ServerStore
from lightwork.net.server.app import App
from lightwork.store.contract import Store
from net.client.scripted import ABOUT, NONE, Heard, scripted
from net.served import served

WORKER = uuid.uuid4()


def test_nobody_there_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(StoreUnavailable, match="is `lightwork serve` running there"):
        ServerStore(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    "url", ["http://", "http://h:5000/path", "http://h:x", "http://me:secret@h", "http://h?a=b"]
)
def test_what_is_no_address_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(UsageError) as raised:
        ServerStore(url)

    assert "secret" not in str(raised.value)


def test_a_call_that_meets_a_closed_connection_is_sent_again_under_its_id() -> None:
    lines: list[str] = []

    def script(heard: Heard) -> None:
        lines.append(heard.request())
        if heard.number == 0:
            heard.answer(ABOUT)
            # The race: it is read, and the connection ends as an idle one would.
            lines.append(heard.request())
            return
        heard.answer(NONE)
        heard.request()

    with scripted(script) as url, ServerStore(url) as store:
        store.sign_off(WORKER)

    _, first, again = lines
    call = first.split("?")[1].split()[0]
    assert call.startswith("call=")
    assert f"{call}&first=server-1 " in again


def test_what_breaks_twice_is_unavailable() -> None:
    def script(heard: Heard) -> None:
        heard.request()
        if heard.number == 0:
            heard.answer(ABOUT)
            heard.request()

    with (
        scripted(script) as url,
        ServerStore(url) as store,
        pytest.raises(StoreUnavailable, match="may have been done"),
    ):
        store.sign_off(WORKER)


def test_a_connection_that_the_server_has_closed_is_not_used() -> None:
    lines: list[str] = []

    def script(heard: Heard) -> None:
        lines.append(heard.request())
        if heard.number == 0:
            heard.answer(ABOUT)
            return
        heard.answer(NONE)
        heard.request()

    with scripted(script) as url, ServerStore(url) as store:
        (connection,) = store.calls._calls._free
        # Its end has come when this returns.
        connection.socket.settimeout(10)
        connection.socket.recv(1, socket.MSG_PEEK)
        store.sign_off(WORKER)

    # Sent once: nothing was lost that had to be repeated.
    assert len(lines) == 2
    assert "first=" not in lines[1]


def test_a_connection_that_was_idle_for_long_is_not_used(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ServerStore(url) as store:
        (before,) = store.calls._calls._all
        monkeypatch.setattr(channel, "IDLE_SECONDS", 0.0)
        store.states([])
        (after,) = store.calls._calls._all

    assert before is not after
    assert before.socket.fileno() < 0


def test_a_server_that_trickles_is_given_up_when_the_whole_time_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls, "CALL_SECONDS", 0.5)
    is_over = threading.Event()

    def script(heard: Heard) -> None:
        heard.request()
        if heard.number == 0:
            heard.answer(ABOUT)
        heard.request()
        # A byte now and then: a time-out of the socket's would begin anew each time.
        while not is_over.wait(0.05):
            heard.raw.sendall(b"x")

    with scripted(script) as url, ServerStore(url) as store:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="not answered in time"):
            store.sign_off(WORKER)
        took = time.monotonic() - began
        is_over.set()

    assert 0.4 < took < 5


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "HEARTBEAT_SECONDS", 0.2)

    def script(heard: Heard) -> None:
        heard.request()
        if heard.number == 0:
            heard.answer(ABOUT)
        # Half-open: it hears everything and says nothing.
        heard.request()
        heard.request()

    with (
        scripted(script) as url,
        ServerStore(url) as store,
        pytest.raises(StoreUnavailable, match="not answered in time"),
    ):
        store.renew(WORKER, lease=10)


def test_whoever_wants_to_end_waits_a_second_at_most() -> None:
    is_asked = threading.Event()
    errors: list[StoreError] = []

    def script(heard: Heard) -> None:
        heard.request()
        if heard.number == 0:
            heard.answer(ABOUT)
        heard.request()
        is_asked.set()
        heard.request()

    def ask(store: ServerStore) -> None:
        try:
            store.sign_off(WORKER)
        except StoreError as error:
            errors.append(error)

    with scripted(script) as url, ServerStore(url) as store:
        asking = threading.Thread(target=ask, args=(store,))
        asking.start()
        assert is_asked.wait(10)
        store.hurry()
        asking.join(10)
        assert not asking.is_alive()

    assert isinstance(errors[0], StoreUnavailable)


def test_a_proxy_that_answers_for_a_server_that_is_gone_is_unavailable() -> None:
    def script(heard: Heard) -> None:
        heard.request()
        heard.raw.sendall(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 5\r\n\r\n<html")
        heard.request()

    with scripted(script) as url, pytest.raises(StoreUnavailable, match="answers 502"):
        ServerStore(url)


def test_a_forked_child_talks_over_connections_of_its_own(url: str) -> None:
    with ServerStore(url) as store:
        store.changes()
        inherited = {one.socket.fileno() for one in store.calls._calls._all}
        pid = os.fork()
        if not pid:
            # The child of a threaded program: nothing but what is tested.
            status = 1
            try:
                closed = [not _is_open(number) for number in inherited]
                status = 0 if all(closed) and store.states([]) == {} else 2
            finally:
                os._exit(status)
        _, status = os.waitpid(pid, 0)

        assert os.waitstatus_to_exitcode(status) == 0
        assert store.states([]) == {}


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def test_a_closed_store_is_no_more(client: ServerStore) -> None:
    client.close()

    with pytest.raises(StoreError, match="was closed"):
        client.states([])


def test_a_client_goes_on_when_its_server_is_started_again(database: Store) -> None:
    with served(App(database)) as url:
        store = ServerStore(url)
        seen = store.changes()
    with pytest.raises(StoreUnavailable):
        store.summary()

    with served(App(database), int(url.rpartition(":")[2])):
        # Whatever its number is now: nobody knows what the other one has not told.
        assert store.changes() != seen
        assert store.sign_off(WORKER) is None  # type: ignore[func-returns-value]
    store.close()
