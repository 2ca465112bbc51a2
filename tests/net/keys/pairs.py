"""A client and a server of one key, and messages with one bit of them flipped."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lightwork.net.keys.handshake import ClientHandshake, ServerHandshakes
from lightwork.net.keys.keyring import Keyring, TransportKey, derive
from lightwork.net.keys.session import ClientSession, ServerSession

AUTHKEY = b"an authkey of the tests, 32 long"
OTHER = b"some other authkey of the tests."
WEB1 = derive(AUTHKEY, "submit", "web1")


class Clock:
    """Seconds, which pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Chance:
    """Bytes that look random, and are the same in every run."""

    def __init__(self, seed: int = 0) -> None:
        self._next = seed * 1000

    def __call__(self, size: int) -> bytes:
        self._next += 1
        return self._next.to_bytes(size, "big")


def server_of(*authkeys: bytes, binding: bytes = b"") -> ServerHandshakes:
    return ServerHandshakes(Keyring(authkeys or [AUTHKEY]), channel_binding=binding)


def open_pair(
    key: TransportKey = WEB1, server: ServerHandshakes | None = None
) -> tuple[ClientSession, ServerSession]:
    """Return both sides of a session."""
    client, server = ClientHandshake(key), server or server_of()
    challenge = server.challenge(client.hello())
    assert challenge is not None
    opened = server.open(client.answer(challenge))
    assert opened is not None
    return client.session(), opened


@dataclass
class Request:
    """What comes to a server."""

    method: str = "POST"
    path: bytes = b"/v1/claim"
    query: bytes = b"wait=20"
    body: bytes = b'{"free": 4}'
    headers: dict[str, str] = field(default_factory=dict)

    def signed(self, session: ClientSession) -> "Request":
        self.headers = session.sign(self.method, self.path, self.query, self.body)
        return self

    def come(self, session: ServerSession) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        session.verify(self.method, self.path, self.query, headers, self.body)


def flipped_bytes(data: bytes) -> Iterator[bytes]:
    """Every way to flip one bit."""
    for place in range(len(data)):
        for bit in range(8):
            yield data[:place] + bytes((data[place] ^ (1 << bit),)) + data[place + 1 :]


def flipped_text(text: str) -> Iterator[str]:
    """Every way to flip one bit, as a server of HTTP would hand it on."""
    return (data.decode("latin-1") for data in flipped_bytes(text.encode("latin-1")))
