"""Requests byte by byte, as no client writes them, and what a server says to them."""

import re
import socket
from collections.abc import Iterable
from typing import Final

from lightwork.net.keys.handshake import Challenge, ClientHandshake
from lightwork.net.keys.keyring import TransportKey
from lightwork.net.keys.session import ClientSession
from lightwork.net.wire import media
from lightwork.net.wire.about import HELLO, PROOF
from net.server.asked import ask

_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3}) ")
SECONDS: Final = 30.0


def connected(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), SECONDS)


def read_all(connection: socket.socket) -> bytes:
    """Read until the server ends the connection, which is an answer too."""
    parts = []
    try:
        while part := connection.recv(1 << 16):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in _STATUS.findall(answer)]


def said_to(url: str, sent: bytes, *, ends: bool = False) -> list[int]:
    """Return the statuses of all answers to these bytes, until the server closes the connection.

    Args:
        url: Of the server.
        sent: What is sent, in one piece.
        ends: Nothing more comes from here, and the server is told so.
    """
    with connected(url) as connection:
        connection.sendall(sent)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        return statuses(read_all(connection))


def request(
    target: str, body: bytes = b"", headers: Iterable[tuple[str, str]] = (), method: str = "POST"
) -> bytes:
    """Return a request, after which the connection is to be closed."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines += [f"Content-Length: {len(body)}", "Content-Type: application/json"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def signed(
    session: ClientSession,
    path: str,
    body: bytes = b"{}",
    *,
    target: str = "",
    method: str = "POST",
) -> bytes:
    """Return a request that a session has signed for a path, sent to that or to another target."""
    proof = session.sign(method, path.encode("latin-1"), b"", body)
    return request(target or path, body, proof.items(), method)


def session_of(url: str, key: TransportKey) -> ClientSession:
    """Return a session at a server, opened step by step."""
    handshake = ClientHandshake(key)
    hello = media.encode(handshake.hello(), media.JSON)
    challenge = Challenge(**ask(url, "POST", HELLO, hello).body)
    proof = media.encode(handshake.answer(challenge), media.JSON)
    assert ask(url, "POST", PROOF, proof).status == 200
    return handshake.session()
