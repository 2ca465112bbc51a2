"""Many who connect and say little, slowly, or without end: others are served meanwhile, and they are let go."""

import contextlib
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightwork.net.client.client import ServerStore
from lightwork.net.server.app import App
from lightwork.net.server.connection import MOST_BYTES, Connection
from net.attacks.raw import connected, read_all, said_to, statuses
from net.processes.serving import serving
from net.served import served


class Impatient(Connection):
    head_seconds = 0.3
    request_seconds = 0.6


@pytest.fixture
def impatient(app: App) -> Iterator[str]:
    with served(app, connection=Impatient) as url:
        yield url


@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (b"", b""),
        (b"", b"G"),
        (b"GET /healthz HTTP/1.1\r\n", b"X"),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /heal", b"t"),
        (b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n", b"x"),
        (
            b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"1\r\nx\r\n",
        ),
        (
            b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            b"X: y\r\n",
        ),
    ],
    ids=["silent", "line", "header", "second", "body", "chunks", "trailers"],
)
def test_who_says_a_byte_now_and_then_is_let_go(impatient: str, first: bytes, drop: bytes) -> None:
    with connected(impatient) as connection:
        connection.sendall(first)
        began = time.monotonic()
        connection.settimeout(0.05)
        while time.monotonic() < began + 20:
            with contextlib.suppress(TimeoutError):
                # It may answer a first request, and nothing more.
                if not _next(connection):
                    break
            with contextlib.suppress(OSError):
                connection.sendall(drop)

        assert time.monotonic() - began < 10


def _next(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1 << 16)
    except ConnectionError:
        return b""


def test_who_reads_no_answer_is_let_go(impatient: str) -> None:
    with connected(impatient) as connection:
        # Ten times as much as buffers on both sides take.
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 500)
        # How long nothing is read is the input.
        time.sleep(Impatient.request_seconds * 2)
        connection.settimeout(10)
        answered = statuses(read_all(connection))

    assert 0 < len(answered) < 500


def test_a_request_that_is_answered_late_has_all_the_time(impatient: str) -> None:
    with ServerStore(impatient) as store:
        # Longer than a request may be under way, and parked.
        assert store.wait_for_change(store.changes(), 1.0) == store.changes()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * (MOST_BYTES + (1 << 19)),
        b"GET / HTTP/1.1\r\nX: " + b"a" * (MOST_BYTES + (1 << 19)),
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * (1 << 17),
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * (1 << 17),
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * (1 << 20),
    ],
    ids=["target", "header", "headers", "trailers", "extension"],
)
def test_a_head_without_end_is_not_kept(url: str, head: bytes) -> None:
    with connected(url) as connection:
        with contextlib.suppress(ConnectionError):
            for start in range(0, len(head), 1 << 14):
                connection.sendall(head[start : start + (1 << 14)])
        # It is neither waited for more, nor for the time to be over.
        connection.settimeout(5)
        answered = statuses(read_all(connection))

    assert set(answered) <= {400, 404}
    with ServerStore(url) as store:
        assert store.jobs() == []


@pytest.mark.parametrize(
    ("size", "status"), [(MOST_BYTES - 100, 200), (MOST_BYTES + 100, 400), (MOST_BYTES + 5000, 400)]
)
def test_a_head_that_comes_at_once_has_its_bound_too(url: str, size: int, status: int) -> None:
    head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: %s\r\n\r\n"

    assert said_to(url, head % (b"a" * (size - len(head) + 2))) == [status]


@pytest.mark.process
def test_a_thousand_that_say_half_a_word_keep_nobody_out(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip(f"this process may open {hard} files, which is too few for a thousand sockets")
    try:
        # What many systems begin with, less what a test takes.
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
        with serving(tmp_path) as (url, server), contextlib.ExitStack() as crowd:
            resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))
            for _ in range(1000):
                crowd.enter_context(connected(url)).sendall(b"POST /v1")
            began = time.monotonic()
            with ServerStore(url) as store:
                assert store.jobs() == []
            took = time.monotonic() - began
            server.terminate()
            server.communicate(timeout=30)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert took < 5
    assert server.returncode == 0
