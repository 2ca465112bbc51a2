"""Channel: requests to one server over connections that are kept, and what is done when they break.

A connection is used by one request at a time; who finds none free opens another. Calls, polls and
heartbeats have a channel each, so that none of them waits behind another.

What goes wrong, and what becomes of it:

    nobody listens, or the host cannot be found      looked for again, for as long as the call waits
                                                     (patience.py); then StoreUnavailable: nothing was done
    the connection breaks before the answer is here  sent once more, over a new connection, under the
                                                     same call id: the server does it once (server/answers.py)
    the server knows our session no more (it was      another session is opened, and it is sent again, a
    restarted, or we were silent for an hour)        few times: there may be several servers at one address
    ... again, or no answer comes in time            StoreUnavailable: it may have been done

That a session is not known is said by 401, or 413: more was sent than is read of a stranger. Nobody can sign
either. So whoever stands between can say so too, and gets nothing for it but another handshake.

Servers close connections that are idle, and a request may cross that on its way. So what was idle for
longer than IDLE_SECONDS, well below the server's own bound, is not used again, and the rest is the
second row above.

A forked child uses none of its parent's connections, or their answers would be mixed: it lets go of the
descriptors, and connects anew. `_lock` guards `_free` and `_all`.
"""

import http.client
import os
import socket
import ssl
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from lightwork.clock import monotonic
from lightwork.errors import StoreError, StoreUnavailable
from lightwork.net.client.address import Address
from lightwork.net.client.connection import Answer, Connection
from lightwork.net.client.patience import Patience
from lightwork.net.client.seal import Seal

IDLE_SECONDS: Final = 60.0
UNKNOWN: Final = 401
_TOO_LARGE: Final = 413
# For one request of who waits for a server that is restarted: one that is killed cuts what it answers, and again
# what has connected and was not accepted yet.
_MOST_BROKEN: Final = 3
# Handshakes for one request.
_MOST_FORGOTTEN: Final = 5
_BROKEN: Final = (OSError, http.client.HTTPException)

_channels: Final["weakref.WeakSet[Channel]"] = weakref.WeakSet()


class Channel:
    """One channel to a server; any thread may use it.

    Args:
        address: Of the server.
        tls: How its certificate is judged; None: it has none.
        seal: Signs requests and verifies answers.
    """

    def __init__(self, address: Address, tls: ssl.SSLContext | None, seal: Seal) -> None:
        self._address = address
        self._tls = tls
        self._seal = seal
        self._is_closed = False
        self.be_new()
        _channels.add(self)

    def be_new(self) -> None:
        """Begin without a connection."""
        self._lock = threading.Lock()
        self._free: list[Connection] = []
        self._all: set[Connection] = set()
        self._patience = Patience()

    def exchange(
        self,
        path: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        seconds: float,
        patience: float,
        on_repeat: Callable[[str], str],
    ) -> Answer:
        """POST a body and return the answer.

        Args:
            path: Where.
            query: What stands behind `?`.
            headers: Without those of the seal.
            body: What.
            seconds: For all of it; connecting has its own bound.
            patience: Seconds from when the server was first found away, in which it is looked for.
            on_repeat: Returns the query of the second attempt, of that of the first.

        Raises:
            StoreUnavailable: No answer came.
            StoreError: The channel is closed.
        """
        deadline = monotonic() + seconds
        forgotten, broken, is_new = 0, 0, False
        while True:
            try:
                return self._once(path, query, headers, body, deadline, is_new=is_new)
            except _NotThere as error:
                if not self._patience.wait(error.since, min(patience, deadline - monotonic())):
                    raise self._unavailable(error) from error
            except _Forgotten as error:
                # It was not even looked at.
                forgotten += 1
                if forgotten > _MOST_FORGOTTEN:
                    raise self._refused(error, len(body)) from error
            except _BROKEN as error:
                # It may have been done, or was on its way when the server closed an idle connection.
                broken += 1
                if isinstance(error, TimeoutError) or broken > (_MOST_BROKEN if patience else 1):
                    raise self._unavailable(error) from error
                query = on_repeat(query) if broken == 1 else query
            is_new = True

    def close(self) -> None:
        """Let go of all connections that nobody uses, and of the others when they are free; idempotent."""
        self.hurry()
        with self._lock:
            self._is_closed = True
            free, self._free = self._free, []
        for connection in free:
            self._drop(connection)

    def hurry(self) -> None:
        """Let nobody wait for a server that is away."""
        self._patience.end()

    def busy(self) -> set[Connection]:
        """Return the connections over which something is asked now."""
        with self._lock:
            return self._all.difference(self._free)

    def cut(self, connections: Iterable[Connection]) -> None:
        """Break what is still under way over these: nobody waits for it any more."""
        for connection in self.busy().intersection(connections):
            connection.shut()

    def abort(self) -> None:
        """Close, and break what is under way."""
        self.close()
        self.cut(self.busy())

    def be_forked(self) -> None:
        """Forget the parent's connections in a forked child."""
        for connection in self._all:
            connection.forget()
        self.be_new()

    def _once(
        self,
        path: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes,
        deadline: float,
        *,
        is_new: bool,
    ) -> Answer:
        connection = self._take(is_new=is_new)

        def ask(path: str, body: bytes) -> Answer:
            left = deadline - monotonic()
            return connection.exchange("POST", path, headers, body, seconds=left)

        try:
            session = self._seal.session(connection.certificate, ask)
            proof = session.sign("POST", path.encode(), query.encode(), body)
            target = f"{path}?{query}" if query else path
            left = deadline - monotonic()
            answer = connection.exchange("POST", target, {**headers, **proof}, body, seconds=left)
            if answer.status in (UNKNOWN, _TOO_LARGE):
                # Nobody can sign this: the server knows no such session any more.
                if self._seal.forget(session):
                    raise _Forgotten(answer.status)
            else:
                session.verify(proof, answer.status, answer.headers, answer.body)
        except BaseException:
            # Also after a Ctrl-C: an answer to this may still come, and is nobody else's.
            self._drop(connection)
            raise
        self._give_back(connection)
        return answer

    def _take(self, *, is_new: bool) -> Connection:
        while not is_new:
            with self._lock:
                if not self._free:
                    break
                connection = self._free.pop()
            if monotonic() - connection.used_at < IDLE_SECONDS and connection.is_open:
                return connection
            self._drop(connection)
        if self._is_closed:
            raise StoreError(f"store {self._address.url} was closed; open it again")
        try:
            connection = Connection(self._address, self._tls)
        except OSError as error:
            is_nameless = isinstance(error, socket.gaierror)
            since = float("-inf") if is_nameless else self._patience.note_away()
            raise _NotThere(str(error), since) from error
        self._patience.note_there()
        with self._lock:
            self._all.add(connection)
        return connection

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            if not self._is_closed:
                self._free.append(connection)
                return
        self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        with self._lock:
            self._all.discard(connection)
        connection.close()

    def _refused(self, error: "_Forgotten", size: int) -> StoreError:
        if error.status != _TOO_LARGE:
            return self._unavailable(error)
        return StoreError(
            f"server {self._address.url} answers 413 to {size:,} bytes, whoever sends them: something "
            "before it, such as a proxy, takes no request of that size; raise its bound"
        )

    def _unavailable(self, error: BaseException) -> StoreUnavailable:
        if self._is_closed:
            raise StoreError(f"store {self._address.url} was closed; open it again") from error
        if isinstance(error, _NotThere):
            text = f"cannot be reached: {error}; is `lightwork serve` running there?"
        elif isinstance(error, TimeoutError):
            text = "has not answered in time; what was asked may have been done"
        else:
            text = f"has broken the connection: {error!r:.200}; what was asked may have been done"
        return StoreUnavailable(f"server {self._address.url} {text}")


class _Forgotten(ConnectionError):  # noqa: N818 - the same
    """The server has not even looked at the request: it knows no such session.

    Attributes:
        status: Of its answer.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"it answers {status}, and knows no session of ours")
        self.status = status


class _NotThere(OSError):  # noqa: N818 - it becomes StoreUnavailable
    """There is no connection: nothing was sent.

    Attributes:
        since: When it was first so.
    """

    def __init__(self, text: str, since: float) -> None:
        super().__init__(text)
        self.since = since


def _be_forked() -> None:
    for channel in list(_channels):
        channel.be_forked()


os.register_at_fork(after_in_child=_be_forked)
