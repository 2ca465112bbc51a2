"""Session: every request and every answer signed, in order of a counter instead of a clock.

    request   Content-Digest:  sha-256=:...:
              Signature-Input: lw1=("@method" "@path" "@query" "content-digest")
                               ;keyid="SESSION";alg="hmac-sha256";nonce="17";tag="lightwork/1"
              Signature:       lw1=:...:
    answer    Content-Digest:  sha-256=:...:
              Signature-Input: lw1=("@status" "content-digest" "signature";req)
                               ;keyid="SESSION";alg="hmac-sha256";tag="lightwork/1"
              Signature:       lw1=:...:

The shape is that of RFC 9421, the spelling fixed to the letter: no parser of structured fields
stands before the signature. An answer signs the request's signature, and with it its number:
an answer to another request, or an old one, is none. Nothing else of a message is signed
(Host, Content-Type, ...); nothing may be decided by it.

Order of a server's checks: what the signature says, the signature, the digest of the body,
the number. So what is forged, cut or swapped on the way takes no number from who was
copied, and the real message is still good.

A session is for one process: after a fork the child makes its own (two who count alike
refuse each other's requests).
"""

import hmac
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from lightwork.errors import AuthError, UsageError
from lightwork.net.keys.replay_window import ReplayWindow
from lightwork.net.keys.roles import Role
from lightwork.net.keys.signature_base import (
    byte_sequence,
    content_digest,
    signature_base,
    signature_params,
)
from lightwork.net.keys.unauthorized import unauthorized

PROTOCOL: Final = "lightwork/1"
# Seconds without a request after which a server forgets a session; its client makes another.
IDLE: Final = 3600.0
MOST_SESSIONS: Final = 10_000

_LABEL: Final = "lw1"
_REQUEST: Final = ('"@method"', '"@path"', '"@query"', '"content-digest"')
_ANSWER: Final = ('"@status"', '"content-digest"', '"signature";req')
_DIGEST: Final = "Content-Digest"
_INPUT: Final = "Signature-Input"
_SIGNATURE: Final = "Signature"
# Up to 10^18 requests of one session.
_REQUEST_INPUT: Final = re.compile(
    re.escape(f"{_LABEL}=({' '.join(_REQUEST)})")
    + r';keyid="([A-Za-z0-9_-]{22})";alg="hmac-sha256";nonce="([1-9][0-9]{0,17})"'
    + re.escape(f';tag="{PROTOCOL}"'),
    re.ASCII,
)
_METHOD: Final = re.compile(r"[A-Z]{1,16}", re.ASCII)
# What stands in the first line of a request: visible, or it is escaped there.
_TARGET: Final = re.compile(rb"[\x21-\x7e]*")


class SessionKeys(NamedTuple):
    """One for each direction, so that no message is good in the other."""

    to_server: bytes
    to_client: bytes


class ClientSession:
    """A client's side; for all threads and connections of one process.

    Attributes:
        id: Known to both sides; no secret.
    """

    def __init__(self, session_id: str, keys: SessionKeys) -> None:
        self.id = session_id
        self._keys = keys
        self._answer_params = _answer_params(session_id)
        self._lock = threading.Lock()
        # Guarded by the lock.
        self._count = 0

    def sign(self, method: str, path: bytes, query: bytes, body: bytes) -> dict[str, str]:
        """Return the headers that sign a request. One that is sent again is signed again.

        Args:
            method: In capitals.
            path: As it is sent: escaped, from the first "/".
            query: As it is sent, without the "?"; b"" if there is none.
            body: As it is sent; b"" if there is none.

        Raises:
            UsageError: No request can begin so.
        """
        with self._lock:
            self._count += 1
            number = self._count
        digest = content_digest(body)
        params = signature_params(
            _REQUEST,
            {"keyid": self.id, "alg": "hmac-sha256", "nonce": str(number), "tag": PROTOCOL},
        )
        try:
            base = _request_base(method, path, query, digest, params=params)
        except ValueError as error:
            raise UsageError(f"no request can be sent so: {error}") from error
        return _headers(self._keys.to_server, base, params, digest)

    def verify(
        self,
        request_headers: Mapping[str, str],
        status: int,
        headers: Mapping[str, str],
        body: bytes,
    ) -> None:
        """Return if this is what the server has answered to this request.

        A server that knows no such session (any more) answers 401, which nobody can sign: ask for
        a new session then, instead of coming here.

        Args:
            request_headers: With those that `sign` of this very session has returned for it.
            status: Of the answer, and so the others.
            headers: Of the answer.
            body: As it came, of all its bytes.

        Raises:
            AuthError: It is not, or not all of it. What it says is not to be believed.
        """
        params, digest = self._answer_params, content_digest(body)
        base = _answer_base(status, digest, _field(request_headers, _SIGNATURE), params)
        for name, expected in _headers(self._keys.to_client, base, params, digest).items():
            if not _is_same(expected, _field(headers, name)):
                raise AuthError(
                    f"the answer (status {status}) is not what the server has signed for this "
                    f"request, as its {name} shows: it was cut, changed, or is that of another; "
                    "it was not read. The request may have been done: send it again with the same request id",
                    session=self.id,
                )


class ServerSession:
    """A server's side; threads may share it.

    Attributes:
        id: Known to both sides; no secret.
        role: What its client may do.
        name: Who that is.
        last_used: When the last request was verified; of the clock that it was given.
    """

    def __init__(
        self,
        session_id: str,
        keys: SessionKeys,
        *,
        role: Role,
        name: str,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.id = session_id
        self.role = role
        self.name = name
        self.last_used = now()
        self._keys = keys
        self._now = now
        self._answer_params = _answer_params(session_id)
        self._lock = threading.Lock()
        # Guarded by the lock.
        self._window = ReplayWindow()

    def verify(
        self, method: str, path: bytes, query: bytes, headers: Mapping[str, str], body: bytes
    ) -> None:
        """Return if the session's client has sent this request, and it has not come before.

        Args:
            method: As it came, and so the others.
            path: Escaped (`raw_path` in ASGI), without the query.
            query: Without the "?".
            headers: By their names in small letters, or in any.
            body: All of it, of a size that the server accepts.

        Raises:
            Unauthorized: It was not; or it has.
        """
        session_id, number, params = _parse_request_input(headers)
        if not _is_same(self.id, session_id):
            raise unauthorized("another session")
        digest = _field(headers, _DIGEST)
        try:
            base = _request_base(method, path, query, digest, params=params)
        except ValueError as error:
            raise unauthorized("not to be signed") from error
        if not _is_same(_signature(self._keys.to_server, base), _field(headers, _SIGNATURE)):
            raise unauthorized("signature")
        if not _is_same(content_digest(body), digest):
            raise unauthorized("body")
        with self._lock:
            is_new = self._window.take(number)
        if not is_new:
            raise unauthorized("replayed")
        self.last_used = self._now()

    def sign(self, request_headers: Mapping[str, str], status: int, body: bytes) -> dict[str, str]:
        """Return the headers that sign an answer.

        Args:
            request_headers: Those of a request that `verify` has accepted.
            status: As it is sent.
            body: As it is sent; b"" if there is none.
        """
        params, digest = self._answer_params, content_digest(body)
        base = _answer_base(status, digest, _field(request_headers, _SIGNATURE), params)
        return _headers(self._keys.to_client, base, params, digest)


class ServerSessions:
    """All sessions of a server by id: only so many, and none that is not used any more.

    Threads may share it. Whoever is not found makes a new session.

    Args:
        limit: Sessions at once. Beyond that one goes whose key has most of them, that which
            was not used for longest: who has a key cannot push out others with it.
        idle: Seconds without a request after which a session ends.
        now: The clock of the sessions.
    """

    def __init__(
        self,
        *,
        limit: int = MOST_SESSIONS,
        idle: float = IDLE,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._idle = idle
        self._now = now
        self._lock = threading.Lock()
        # Guarded by the lock, by key (role and name), then by id.
        self._by_key: dict[tuple[Role, str], dict[str, ServerSession]] = {}
        self._by_id: dict[str, ServerSession] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, session: ServerSession) -> None:
        """Keep a session that `ServerHandshakes.open` has returned."""
        with self._lock:
            while len(self._by_id) >= self._limit:
                self._make_room()
            self._by_id[session.id] = session
            self._by_key.setdefault((session.role, session.name), {})[session.id] = session

    def find(self, session_id: str) -> ServerSession | None:
        """Return a session, or None if there is none any more."""
        with self._lock:
            session = self._by_id.get(session_id)
            if session is not None and self._is_over(session):
                self._drop(session)
                return None
        return session

    def verify(
        self, method: str, path: bytes, query: bytes, headers: Mapping[str, str], body: bytes
    ) -> ServerSession:
        """Return the session that has signed a request.

        Raises:
            Unauthorized: There is none, or it has not, or the request has come before.
        """
        session = self.find(_parse_request_input(headers).session_id)
        if session is None:
            raise unauthorized("no such session")
        session.verify(method, path, query, headers, body)
        return session

    def expire(self) -> int:
        """End those that are not used any more; return how many."""
        with self._lock:
            over = [session for session in self._by_id.values() if self._is_over(session)]
            for session in over:
                self._drop(session)
        return len(over)

    def _make_room(self) -> None:
        crowd = max(self._by_key.values(), key=len)
        self._drop(min(crowd.values(), key=lambda session: session.last_used))

    def _is_over(self, session: ServerSession) -> bool:
        return self._now() - session.last_used >= self._idle

    def _drop(self, session: ServerSession) -> None:
        del self._by_id[session.id]
        key = (session.role, session.name)
        del self._by_key[key][session.id]
        if not self._by_key[key]:
            del self._by_key[key]


class _RequestInput(NamedTuple):
    session_id: str
    number: int
    params: str


def _parse_request_input(headers: Mapping[str, str]) -> _RequestInput:
    text = _field(headers, _INPUT)
    found = _REQUEST_INPUT.fullmatch(text)
    if found is None:
        raise unauthorized("Signature-Input")
    return _RequestInput(found[1], int(found[2]), text.removeprefix(f"{_LABEL}="))


def _request_base(method: str, path: bytes, query: bytes, digest: str, *, params: str) -> bytes:
    if not _METHOD.fullmatch(method):
        raise ValueError("the method is not in capitals")
    if not (path.startswith(b"/") and b"?" not in path and _TARGET.fullmatch(path)):
        raise ValueError("the path does not begin with /, or is not escaped")
    if not _TARGET.fullmatch(query):
        raise ValueError("the query is not escaped")
    values = (method, path.decode("ascii"), f"?{query.decode('ascii')}", digest)
    return signature_base(list(zip(_REQUEST, values, strict=True)), params)


def _answer_params(session_id: str) -> str:
    return signature_params(_ANSWER, {"keyid": session_id, "alg": "hmac-sha256", "tag": PROTOCOL})


def _answer_base(status: int, digest: str, signature: str, params: str) -> bytes:
    return signature_base(list(zip(_ANSWER, (str(status), digest, signature), strict=True)), params)


def _headers(key: bytes, base: bytes, params: str, digest: str) -> dict[str, str]:
    return {
        _DIGEST: digest,
        _INPUT: f"{_LABEL}={params}",
        _SIGNATURE: _signature(key, base),
    }


def _signature(key: bytes, base: bytes) -> str:
    return f"{_LABEL}={byte_sequence(hmac.digest(key, base, 'sha256'))}"


def _field(headers: Mapping[str, str], name: str) -> str:
    # A dict of a server's knows small letters only, one that `sign` has made only its own.
    return headers.get(name) or headers.get(name.lower()) or ""


def _is_same(expected: str, seen: str) -> bool:
    return hmac.compare_digest(expected.encode(), seen.encode("utf-8", "surrogatepass"))
