"""Servers in threads of the test: a store, offered at a port of this machine."""

import asyncio
import atexit
import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lightwork.net.server.app import App, Receive, Scope, Send
from lightwork.net.server.connection import Connection
from lightwork.net.server.serve import Server, listen
from lightwork.store.contract import Store

# By the URL of a server, the database behind it.
_behind: dict[str, str] = {}


def database_url(store: Store) -> str:
    """Return the URL of the database that keeps a store, also of one behind a server."""
    return _behind.get(store.url, store.url)


@contextmanager
def served(app: App, port: int = 0, *, connection: type[Connection] = Connection) -> Iterator[str]:
    """Serve until the end of the block; yields the URL."""
    url, end = _start(app, port, connection)
    try:
        yield url
    finally:
        end()


@contextmanager
def offered(store: Store) -> Iterator[str]:
    """Offer a store until the end of the block; yields the URL.

    On one server for all tests: to begin and to end takes a fifth of a second.
    """
    url, house = shared()
    house.move_in(App(store))
    _behind[url] = store.url
    try:
        yield url
    finally:
        house.move_out()


class House(App):
    """An app that is another one for each test."""

    def __init__(self) -> None:
        self._app: App | None = None

    async def begin(self) -> None:
        self._loop = asyncio.get_running_loop()

    async def end(self) -> None:
        pass

    def stop(self) -> None:
        pass

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self if scope["type"] == "lifespan" else self._app
        await App.__call__(self if app is None else app, scope, receive, send)

    def move_in(self, app: App) -> None:
        self._run(app.begin())
        self._app = app

    def move_out(self) -> None:
        assert self._app is not None
        self._run(self._app.end())

    def _run(self, step: Any) -> None:
        asyncio.run_coroutine_threadsafe(step, self._loop).result(30)


@functools.cache
def shared() -> tuple[str, House]:
    """Start the server for all tests, or return it."""
    house = House()
    url, end = _start(house, 0, Connection)
    atexit.register(end)
    return url, house


def _start(app: App, port: int, connection: type[Connection]) -> tuple[str, Any]:
    listener = listen("127.0.0.1", port)
    host, port = listener.getsockname()
    is_ready = threading.Event()
    server = Server(app, listener, on_ready=is_ready.set, connection=connection)
    thread = threading.Thread(target=server.serve_here, name="test-server", daemon=True)
    thread.start()
    assert is_ready.wait(10), "the server does not begin"

    def end() -> None:
        server.should_exit = True
        thread.join()
        listener.close()

    return f"http://{host}:{port}", end
