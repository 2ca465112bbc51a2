"""Handshake: both sides prove that they know one key, which neither sends.

    client                                                              server
      │  Hello      key id, client's nonce                                 │
      ├───────────────────────────────────────────────────────────────────►│  keeps nothing
      │  Challenge  cookie (the server's nonce, sealed), server's proof    │
      │◄───────────────────────────────────────────────────────────────────┤
      │  checks that proof; wrong: ends here, having said nothing          │
      │  Proof      the cookie, client's proof                             │
      ├───────────────────────────────────────────────────────────────────►│  checks; once
      │  Welcome    id of the session                                      │
      │◄───────────────────────────────────────────────────────────────────┤

    transcript      = SHA-256(each with its size: protocol, key id, client's nonce, cookie,
                              hash of the certificate or nothing)
    server's proof  = HMAC-SHA256(key, "lightwork/1 server" | transcript)
    client's proof  = HMAC-SHA256(key, "lightwork/1 client" | transcript)
    session id      = SHA-256("lightwork/1 session" | transcript), 16 bytes
    key to server   = HKDF(key, salt: transcript, "lightwork/1 to server"), and so "to client"

What is refused by which part: a proof sent back to its maker by the labels; one of an earlier
handshake by the nonces; one of another server by the seal of its cookie; one that went through
somebody's own TLS by the hash of the certificate. A cookie opens one session, ever:
otherwise who repeats the Proof would get a session in which no request has come yet,
and could repeat those too.

An unknown key gets a challenge as well, made with a key that nobody has.
"""

import hashlib
import hmac
import secrets
import struct
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Literal

from msgspec import Struct

from lightwork.errors import AuthError, UsageError
from lightwork.net.keys import base64url
from lightwork.net.keys.cookies import LIFETIME, NONCE_SIZE, Asked, Cookies
from lightwork.net.keys.hkdf import hkdf
from lightwork.net.keys.keyring import MAX_KEY_ID, Keyring, TransportKey
from lightwork.net.keys.session import PROTOCOL, ClientSession, ServerSession, SessionKeys

_ID_SIZE: Final = 16
_SIZE: Final = struct.Struct(">I")
# Each is a client that has proved itself in the last 30 s; 10 MB.
_MOST_OPENED: Final = 100_000


class Hello(Struct, frozen=True):
    """A client says which key it has."""

    key_id: str
    nonce: str
    protocol: str = PROTOCOL


class Challenge(Struct, frozen=True):
    """A server proves itself, and asks for the same; `session` is its cookie."""

    session: str
    proof: str


class Proof(Struct, frozen=True):
    """A client proves itself; `session` is the cookie again."""

    session: str
    proof: str


class Welcome(Struct, frozen=True):
    """A server has opened a session; its id is known to the client already."""

    session: str


class ClientHandshake:
    """One attempt of a client to open a session.

    Args:
        key: Its own.
        channel_binding: SHA-256 of the certificate that the server has shown, or b"" without TLS.
        chance: Makes so many random bytes.
    """

    def __init__(
        self,
        key: TransportKey,
        *,
        channel_binding: bytes = b"",
        chance: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._key = key
        self._binding = channel_binding
        self._nonce = chance(NONCE_SIZE)
        self._transcript = b""

    def hello(self) -> Hello:
        """Return the first message."""
        return Hello(self._key.key_id, base64url.encode(self._nonce))

    def answer(self, challenge: Challenge) -> Proof:
        """Return the second message, if the server has proved itself.

        Raises:
            AuthError: It has not. Nothing that it did not know has been said.
        """
        asked = Asked(self._key.key_id, self._nonce)
        transcript = _transcript(asked, challenge.session, self._binding)
        if not _is_same(_proof(self._key, "server", transcript), challenge.proof):
            raise AuthError(_not_proved(self._key, self._binding), key_id=self._key.key_id)
        self._transcript = transcript
        return Proof(challenge.session, _proof(self._key, "client", transcript))

    def session(self) -> ClientSession:
        """Return the session, once the challenge is answered.

        Raises:
            UsageError: It is not.
        """
        if not self._transcript:
            raise UsageError("no server has proved itself yet; a session begins with an answer")
        return ClientSession(
            _session_id(self._transcript), _session_keys(self._key, self._transcript)
        )


class ServerHandshakes:
    """A server's side of all handshakes; threads may share it.

    Args:
        keyring: The keys that it knows.
        channel_binding: SHA-256 of its own certificate (DER), or b"" without TLS.
        now: Seconds that only grow; the clock of its sessions as well.
        chance: Makes so many random bytes.
    """

    def __init__(
        self,
        keyring: Keyring,
        *,
        channel_binding: bytes = b"",
        now: Callable[[], float] = time.monotonic,
        chance: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._keyring = keyring
        self._binding = channel_binding
        self._now = now
        self._cookies = Cookies(now=now, chance=chance)
        self._lock = threading.Lock()
        # Guarded by the lock: sessions that were opened, and until when their cookies would be good.
        self._opened: OrderedDict[str, float] = OrderedDict()

    def challenge(self, hello: Hello) -> Challenge | None:
        """Return the answer to a client's first message; None if that is not in order.

        Whether the key is known cannot be told from it, nor from the time that it takes.
        """
        asked = _asked(hello)
        if asked is None:
            return None
        key, _ = self._keyring.look_up(asked.key_id)
        cookie = self._cookies.seal(asked)
        return Challenge(cookie, _proof(key, "server", _transcript(asked, cookie, self._binding)))

    def open(self, proof: Proof) -> ServerSession | None:
        """Return the session of a client that has proved itself; None if it has not."""
        try:
            asked = self._cookies.open(proof.session)
        except ValueError:
            return None
        key, is_known = self._keyring.look_up(asked.key_id)
        transcript = _transcript(asked, proof.session, self._binding)
        is_proved = _is_same(_proof(key, "client", transcript), proof.proof)
        session_id = _session_id(transcript)
        if not (is_known and is_proved and self._is_first(session_id)):
            return None
        return ServerSession(
            session_id, _session_keys(key, transcript), role=key.role, name=key.name, now=self._now
        )

    def _is_first(self, session_id: str) -> bool:
        now = self._now()
        with self._lock:
            while self._opened and next(iter(self._opened.values())) <= now:
                self._opened.popitem(last=False)
            if session_id in self._opened or len(self._opened) >= _MOST_OPENED:
                return False
            self._opened[session_id] = now + LIFETIME
            return True


def _asked(hello: Hello) -> Asked | None:
    if hello.protocol != PROTOCOL or not 0 < len(hello.key_id) <= MAX_KEY_ID:
        return None
    try:
        nonce = base64url.decode(hello.nonce)
    except ValueError:
        return None
    is_fit = len(nonce) == NONCE_SIZE and hello.key_id.isascii()
    return Asked(hello.key_id, nonce) if is_fit else None


def _transcript(asked: Asked, cookie: str, binding: bytes) -> bytes:
    # Sizes in front, so that no two handshakes are written as the same bytes.
    said = (
        PROTOCOL.encode(),
        asked.key_id.encode(),
        asked.nonce,
        cookie.encode("utf-8", "surrogatepass"),
        binding,
    )
    return hashlib.sha256(b"".join(_SIZE.pack(len(part)) + part for part in said)).digest()


def _proof(key: TransportKey, side: Literal["server", "client"], transcript: bytes) -> str:
    label = f"{PROTOCOL} {side}".encode()
    return base64url.encode(hmac.digest(key.secret, label + transcript, "sha256"))


def _session_id(transcript: bytes) -> str:
    digest = hashlib.sha256(f"{PROTOCOL} session".encode() + transcript).digest()
    return base64url.encode(digest[:_ID_SIZE])


def _session_keys(key: TransportKey, transcript: bytes) -> SessionKeys:
    return SessionKeys(
        to_server=hkdf(key.secret, f"{PROTOCOL} to server".encode(), salt=transcript),
        to_client=hkdf(key.secret, f"{PROTOCOL} to client".encode(), salt=transcript),
    )


def _is_same(expected: str, seen: str) -> bool:
    return hmac.compare_digest(expected.encode(), seen.encode("utf-8", "surrogatepass"))


def _not_proved(key: TransportKey, binding: bytes) -> str:
    between = (
        "or somebody between has shown a certificate of his own"
        if binding
        else "or the server speaks TLS and somebody between does not"
    )
    return (
        f"the server has not proved that it knows the key {key.key_id}: it has another authkey, "
        f"the name {key.name} is revoked there, {between}; compare the key files "
        "of both sides. Nothing was sent but the id of the key"
    )
