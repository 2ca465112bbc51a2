"""Channel: requests to one server over connections that are kept, and what is done when they break.

A connection is used by one request at a time; who finds none free opens another. Calls, polls and
heartbeats have a channel each, so that none of them waits behind another.

What goes wrong, and what becomes of it:

    nobody listens, or the host cannot be found      StoreUnavailable: nothing was done
    the connection breaks before the answer is here  sent once more, over a new connection, under the
                                                     same call id: the server does it once (server/answers.py)
    the server knows our session no more (it was      another session is opened, and it is sent again
    restarted, or we were silent for an hour)
    ... again, or no answer comes in time            StoreUnavailable: it may have been done

Servers close connections that are idle, and a request may cross that on its way. So what was idle for
longer than IDLE_SECONDS, well below the server's own bound, is not used again, and the rest is the
second row above.

A forked child uses none of its parent's connections, or their answers would be mixed: it lets go of the
descriptors, and connects anew. `_lock` guards `_free` and `_all`.
"""

import http.client
import os
import ssl
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from lightwork.clock import monotonic
from lightwork.errors import StoreError, StoreUnavailable
from lightwork.net.client.address import Address
from lightwork.net.client.connection import Answer, Connection
from lightwork.net.client.seal import Seal

IDLE_SECONDS: Final = 60.0
UNKNOWN: Final = 401
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

    def exchange(
        self,
        path: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        seconds: float,
        on_repeat: Callable[[str], str],
    ) -> Answer:
        """POST a body and return the answer.

        Args:
            path: Where.
            query: What stands behind `?`.
            headers: Without those of the seal.
            body: What.
            seconds: For all of it; connecting has its own bound.
            on_repeat: Returns the query of the second attempt, of that of the first.

        Raises:
            StoreUnavailable: No answer came.
            StoreError: The channel is closed.
        """
        deadline = monotonic() + seconds
        try:
            return self._once(path, query, headers, body, deadline, is_new=False)
        except _BROKEN as error:
            if isinstance(error, TimeoutError | _NotThere):
                raise self._unavailable(error) from error
            # Else it may have been done, or was on its way when the server closed an idle connection.
            is_undone = isinstance(error, _Forgotten)
        query = query if is_undone else on_repeat(query)
        try:
            return self._once(path, query, headers, body, deadline, is_new=True)
        except _BROKEN as error:
            raise self._unavailable(error) from error

    def close(self) -> None:
        """Let go of all connections that nobody uses, and of the others when they are free; idempotent."""
        with self._lock:
            self._is_closed = True
            free, self._free = self._free, []
        for connection in free:
            self._drop(connection)

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
            if answer.status == UNKNOWN:
                # Nobody can sign this: the server knows no such session any more.
                if self._seal.forget(session):
                    raise _Forgotten
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
            raise _NotThere(str(error)) from error
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
    """The server has not even looked at the request: it knows no such session."""


class _NotThere(OSError):  # noqa: N818 - it becomes StoreUnavailable
    """There is no connection: nothing was sent."""


def _be_forked() -> None:
    for channel in list(_channels):
        channel.be_forked()


os.register_at_fork(after_in_child=_be_forked)
