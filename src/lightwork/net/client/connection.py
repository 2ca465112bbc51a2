"""Connection: one socket to a server, and one request at a time over it.

The standard library's `http.client` speaks; what is added is a clock: the time for an exchange is one
deadline for all of it, where the time-out of a socket begins anew with each byte that trickles in.
"""

import contextlib
import hashlib
import http.client
import io
import socket
import ssl
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, cast

from lightwork.clock import monotonic
from lightwork.net.client.address import Address

CONNECT_SECONDS: Final = 5.0
# Milliseconds without a word from the other side's kernel: a cut cable is noticed although what was
# sent waits in a buffer of ours.
_UNHEARD_MS: Final = 15_000
# Below the answer's header; more is asked for than there will be.
_BUFFER: Final = 1 << 16


class Answer(NamedTuple):
    """What a server has said."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """One connection; used by one thread at a time.

    Raises, from every method: OSError (TimeoutError among them), http.client.HTTPException.
    """

    def __init__(self, address: Address, tls: ssl.SSLContext | None) -> None:
        raw = socket.create_connection((address.host, address.port), CONNECT_SECONDS)
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNHEARD_MS)
            if tls is not None:
                raw = tls.wrap_socket(raw, server_hostname=address.host)
        except BaseException:
            raw.close()
            raise
        self.socket = raw
        shown = raw.getpeercert(binary_form=True) if isinstance(raw, ssl.SSLSocket) else None
        # SHA-256 of the certificate that the server has shown; b"": it has shown none.
        self.certificate = hashlib.sha256(shown).digest() if shown else b""
        self._timed = _Timed(raw)
        self._http = http.client.HTTPConnection(address.host, address.port)
        # Ours: it never connects by itself.
        self._http.auto_open = 0
        # As much of a socket as it uses.
        self._http.sock = cast("socket.socket", self._timed)
        self.used_at = monotonic()
        self.is_used = False

    def exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, *, seconds: float
    ) -> Answer:
        """Send a request and return its answer, all of it within so many seconds."""
        self._timed.deadline = monotonic() + seconds
        self._http.request(method, target, body, dict(headers))
        self._timed.send()
        with self._http.getresponse() as response:
            # http.client takes the end of a connection for the end of a head, and what it has by then
            # for an answer. Of a whole head the end has come before anybody looked beyond it.
            if self._timed.is_ended:
                raise ConnectionResetError("the answer was cut within its head")
            answer = Answer(response.status, dict(response.getheaders()), response.read())
            is_last = response.will_close
        self.used_at, self.is_used = monotonic(), True
        if is_last:
            self.close()
        return answer

    @property
    def is_open(self) -> bool:
        """Whether the server has left it open, as far as is known here."""
        if self.socket.fileno() < 0:
            return False
        self.socket.settimeout(0)
        try:
            # The server says nothing unasked: whatever can be read is its end.
            self.socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Let go of it; idempotent."""
        self._http.close()
        self.socket.close()

    def shut(self) -> None:
        """Break it, whoever waits for its answer: any thread may do so."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """Let go of a parent's connection, without a word to the server.

        A close would say goodbye in the parent's TLS session.
        """
        number = self.socket.detach()
        if number >= 0:
            socket.close(number)


class _Timed:
    """As much of a socket as http.client uses, with one deadline for everything."""

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self._unsent: list[bytes] = []
        self.deadline = 0.0
        # Whether the other side has said its last.
        self.is_ended = False

    def sendall(self, data: bytes) -> None:
        # Header and body come one after the other, and go out together.
        self._unsent.append(data)

    def send(self) -> None:
        # Not in makefile: a response that fails while it is made complains of that again when it is
        # collected, to the user's standard error (Python 3.13).
        data, self._unsent = b"".join(self._unsent), []
        self._raw.settimeout(self._left())
        self._raw.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self), _BUFFER)

    def close(self) -> None:
        """Not here: the connection closes its socket."""

    def receive_into(self, buffer: memoryview) -> int:
        self._raw.settimeout(self._left())
        size = self._raw.recv_into(buffer)
        self.is_ended = not size
        return size

    def _left(self) -> float:
        left = self.deadline - monotonic()
        if left <= 0:
            raise TimeoutError("the time for the whole exchange is over")
        return left


class _Reader(io.RawIOBase):
    """The bytes of a timed socket."""

    def __init__(self, timed: _Timed) -> None:
        super().__init__()
        self._timed = timed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._timed.receive_into(buffer)
