"""Proxy: stands between a store and its server; cuts, loses, delays or keeps back what a test says."""

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import URL, make_url

_PORTS: Final = {"postgresql": 5432, "mariadb": 3306, "mysql": 3306}


def is_commit(sent: bytes) -> bool:
    """Whether the end of a caller's transaction is on its way to the server."""
    # To PostgreSQL; to MariaDB. (READ COMMITTED stands in every BEGIN.)
    return (b"COMMIT\0" in sent and b"NOTIFY" not in sent) or b"\x03COMMIT" in sent


class Proxy:
    """Passes bytes on in both directions, one thread for each connection."""

    def __init__(self, url: str) -> None:
        self._target = make_url(url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        here = self._listener.getsockname()[1]
        through = self._target.set(host="127.0.0.1", port=here, query={})
        self.url = through.render_as_string(hide_password=False)
        # Asked for each piece that goes to the server: True: the answer never arrives, and
        # the connection is cut.
        self.loses_answer_to: Callable[[bytes], bool] = lambda _sent: False
        # Nothing passes any more, and nobody is told.
        self.is_silent = False
        # Seconds by which each piece is late.
        self.delay = 0.0
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End every connection that there is."""
        for connection in self._open.copy():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def refuse(self) -> None:
        """Take no connection from now on."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def close(self) -> None:
        self.refuse()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), connect_to(self._target) as server:
            self._open |= {client, server}
            try:
                self._pass_on(client, server)
            finally:
                self._open -= {client, server}

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        is_lost = False
        other = {client: server, server: client}
        with selectors.DefaultSelector() as ready:
            for each in other:
                ready.register(each, selectors.EVENT_READ)
            while True:
                for key, _events in ready.select():
                    one: socket.socket = key.fileobj  # type: ignore[assignment]
                    data = one.recv(1 << 16)
                    if not data and self.is_silent and one is server:
                        # Nobody is told of that either.
                        ready.unregister(server)
                        continue
                    if not data or (is_lost and one is server):
                        return
                    if one is client:
                        is_lost = self.loses_answer_to(data)
                    # The network is slow: that is the input.
                    time.sleep(self.delay)
                    if not self.is_silent:
                        other[one].sendall(data)


def connect_to(url: URL) -> socket.socket:
    """Connect to the server that a URL names, by whatever socket it has."""
    path = url.query.get("unix_socket") or url.query.get("host")
    kind = url.get_backend_name()
    if not path:
        return socket.create_connection((url.host or "127.0.0.1", url.port or _PORTS[kind]))
    connection = socket.socket(socket.AF_UNIX)
    port = url.query.get("port") or url.port or _PORTS[kind]
    name = f"{path}/.s.PGSQL.{port}" if kind == "postgresql" else str(path)
    try:
        connection.connect(name)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def proxy(url: str) -> Iterator[Proxy]:
    made = Proxy(url)
    try:
        yield made
    finally:
        made.close()
