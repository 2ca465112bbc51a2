"""Gate: who asks, and what proves an answer to be ours; the one place where the server learns it.

It stands before everything: what it admits has a caller with a role, and each route says which roles
it is for (routes.py). What it refuses has been neither decoded nor looked up, and hears one text, whatever
the cause. Of who has proved nothing no more is read than a handshake needs.
"""

import functools
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar
from urllib.parse import urlsplit

import msgspec

from lightwork.net.keys.handshake import Hello, Proof, ServerHandshakes, Welcome
from lightwork.net.keys.keyring import Keyring
from lightwork.net.keys.session import ServerSessions
from lightwork.net.keys.unauthorized import TEXT, Unauthorized
from lightwork.net.server.request import ANYBODY_HERE, Caller, Reply, Request
from lightwork.net.wire import media
from lightwork.net.wire.about import HELLO, PROOF
from lightwork.net.wire.failures import Refused

T = TypeVar("T")

# Bytes of a message of a handshake, of which there are nonces and proofs.
_LARGEST_UNPROVED: Final = 4096
_SESSION: Final = re.compile(r';keyid="([A-Za-z0-9_-]{22})"', re.ASCII)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may be answered: who asks, and how the answer is proved."""

    caller: Caller
    seal: Callable[[Reply], Reply]


class Gate(Protocol):
    """Knows the callers of one server; used in the event loop."""

    def largest_body(self, request: Request, most: int) -> int:
        """Return how many bytes of a request are read, of `most`, of which only the head is there."""

    def is_stale(self, request: Request) -> bool:
        """Whether who asks would do so in another way if he knew what we know not any more."""

    def reply_before(self, request: Request) -> Reply | None:
        """Return the answer to a request that belongs to the proof itself; None: it is another."""

    def admit(self, request: Request) -> Admitted:
        """Return who asks.

        Raises:
            Refused: It is not proved.
        """


class OpenGate:
    """Of a server without a key, which only this machine reaches.

    So do the pages that a browser of this machine shows, of whoever wrote them: a page may send what it
    likes to any address, and a name of its own may lead to this one. Both say where they come from.
    """

    def largest_body(self, _request: Request, most: int) -> int:
        """Return what is read of all."""
        return most

    def is_stale(self, _request: Request) -> bool:
        """There is nothing to know."""
        return False

    def reply_before(self, _request: Request) -> Reply | None:
        """Nothing is to be proved."""
        return None

    def admit(self, request: Request) -> Admitted:
        """Believe whoever asks, but for pages of elsewhere."""
        host, origin = request.headers.get("host", ""), request.headers.get("origin", "")
        if not _is_here(host) or (origin and origin.partition("://")[2] != host):
            raise Refused(
                403,
                "AuthError",
                "a server without a key answers programs of this machine, by the names localhost and "
                "127.0.0.1, and no page of another address",
            )
        return _ANYBODY


# Of few names there are many requests.
@functools.lru_cache(256)
def _is_here(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


_ANYBODY: Final = Admitted(ANYBODY_HERE, lambda reply: reply)


class KeyGate:
    """Of a server with keys; see keys/handshake.py and keys/session.py.

    Args:
        keyring: Those that it knows.
        certificate: SHA-256 of its own, or b"" without TLS.
    """

    def __init__(self, keyring: Keyring, *, certificate: bytes = b"") -> None:
        self._handshakes = ServerHandshakes(keyring, channel_binding=certificate)
        self._sessions = ServerSessions()

    def largest_body(self, request: Request, most: int) -> int:
        """Return `most` of who names a session, which is not proved yet, but cannot be guessed."""
        named = _named(request)
        is_known = named != "" and self._sessions.find(named) is not None
        return most if is_known else _LARGEST_UNPROVED

    def is_stale(self, request: Request) -> bool:
        """Whether it names a session that is not known: perhaps it was before a restart."""
        named = _named(request)
        return named != "" and self._sessions.find(named) is None

    def reply_before(self, request: Request) -> Reply | None:
        """Answer a message of a handshake."""
        if request.method != "POST" or request.path not in (HELLO, PROOF):
            return None
        if request.path == HELLO:
            return _said(request, self._handshakes.challenge(_decoded(request, Hello)))
        session = self._handshakes.open(_decoded(request, Proof))
        if session is None:
            raise _refused()
        self._sessions.add(session)
        return _said(request, Welcome(session.id))

    def admit(self, request: Request) -> Admitted:
        """Return whose session has signed the request."""
        path, query = request.path.encode("latin-1"), request.query.encode("latin-1")
        try:
            session = self._sessions.verify(
                request.method, path, query, request.headers, request.body
            )
        except Unauthorized as error:
            raise _refused() from error

        def seal(reply: Reply) -> Reply:
            proof = session.sign(request.headers, reply.status, reply.body)
            return replace(reply, headers={**reply.headers, **proof})

        return Admitted(Caller(session.role, session.name), seal)


def _named(request: Request) -> str:
    named = _SESSION.search(request.headers.get("signature-input", ""))
    return named[1] if named is not None else ""


def _decoded(request: Request, kind: type[T]) -> T:
    try:
        value: T = media.decode(request.body, kind, request.media)
    except msgspec.DecodeError as error:
        raise _refused() from error
    return value


def _said(request: Request, message: msgspec.Struct | None) -> Reply:
    if message is None:
        raise _refused()
    return Reply(200, media.encode(message, request.media), request.media)


def _refused() -> Refused:
    return Refused(401, "AuthError", TEXT)
