"""Seal: what proves requests and answers to be of who holds the key; one object for all channels of a client.

A session is opened over the first connection that needs it, and serves all that show the same certificate:
that is a part of the proof (keys/handshake.py), so a server needs no authority to vouch for it. Another
certificate means another session, over the connection that shows it; somebody between fails there.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Final, Protocol, TypeVar

import msgspec

from lightwork.errors import AuthError, StoreUnavailable
from lightwork.net.client.connection import Answer
from lightwork.net.keys.handshake import Challenge, ClientHandshake, Welcome
from lightwork.net.keys.keyring import TransportKey
from lightwork.net.wire import media
from lightwork.net.wire.about import HELLO, PROOF

T = TypeVar("T")
# POSTs a body to a path over the connection that is to be used, without any proof.
Ask = Callable[[str, bytes], Answer]


class Session(Protocol):
    """Signs requests and verifies their answers; any thread may call."""

    def sign(self, method: str, path: bytes, query: bytes, body: bytes) -> dict[str, str]:
        """Return the headers that prove a request."""

    def verify(
        self,
        request_headers: Mapping[str, str],
        status: int,
        headers: Mapping[str, str],
        body: bytes,
    ) -> None:
        """Raise unless an answer is the server's to this very request, whose headers are given."""


class Seal(Protocol):
    """Has the session; any thread may call."""

    def session(self, certificate: bytes, ask: Ask) -> Session:
        """Return the session for a connection.

        Args:
            certificate: SHA-256 of what the server has shown; b"" without TLS.
            ask: Opens one over that connection, if there is none yet.

        Raises:
            AuthError: The server does not know the key, or is not who it says.
        """

    def forget(self, session: Session) -> bool:
        """Let the next request open another; False: that would not help."""

    def be_new(self) -> None:
        """Begin without a session: in a forked child, for two may not count alike."""


class NoSeal:
    """Of who has no key: the server is on this machine, and believes all who are."""

    def session(self, _certificate: bytes, _ask: Ask) -> Session:
        """Return what proves nothing."""
        return _NO_SESSION

    def forget(self, _session: Session) -> bool:
        """Without a key there is nothing that could help."""
        return False

    def be_new(self) -> None:
        """There is nothing."""


class KeySeal:
    """Of who has a key; keys/handshake.py says how it is proved.

    `_lock` guards `_session` and `_certificate`; it is not held while the server is asked, so threads
    that begin at once may open a session each, of which one is kept.
    """

    def __init__(self, key: TransportKey) -> None:
        self._key = key
        self.be_new()

    def be_new(self) -> None:
        """Begin without a session."""
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._certificate = b""

    def session(self, certificate: bytes, ask: Ask) -> Session:
        """Return the session for a connection that has shown this certificate."""
        with self._lock:
            if self._session is not None and self._certificate == certificate:
                return self._session
        handshake = ClientHandshake(self._key, channel_binding=certificate)
        challenge = _decoded(ask(HELLO, media.encode(handshake.hello(), media.MSGPACK)), Challenge)
        proof = handshake.answer(challenge)
        _decoded(ask(PROOF, media.encode(proof, media.MSGPACK)), Welcome)
        session = handshake.session()
        with self._lock:
            self._session, self._certificate = session, certificate
        return session

    def forget(self, session: Session) -> bool:
        """Let the next request open another."""
        with self._lock:
            if self._session is session:
                self._session = None
        return True


class _NoSession:
    def sign(self, _method: str, _path: bytes, _query: bytes, _body: bytes) -> dict[str, str]:
        return {}

    def verify(
        self,
        _request_headers: Mapping[str, str],
        _status: int,
        _headers: Mapping[str, str],
        _body: bytes,
    ) -> None:
        pass


_NO_SESSION: Final = _NoSession()


def _decoded(answer: Answer, kind: type[T]) -> T:
    if answer.status in (404, 405):
        raise AuthError(
            "the server has no key and asks for none; leave the authkey out, or start it with "
            "--authkey-file"
        )
    if answer.status >= 500:
        raise StoreUnavailable(f"the server answers {answer.status} to the proof of a key")
    if answer.status != 200:
        raise AuthError(
            "the server does not accept this key: it does not know it, or has revoked it; compare the "
            "authkeys of both sides"
        )
    try:
        value: T = media.decode(answer.body, kind, media.MSGPACK)
    except msgspec.DecodeError as error:
        raise AuthError(
            f"the server answers the proof of a key as none of ours does: {error}"
        ) from error
    return value
