"""Serve: an app on uvicorn, from the first connection to an end within two seconds.

uvicorn waits for open answers before it tells the app that it ends, and a parked poll is one: so
the app is told first. Idle connections are kept for KEEP_ALIVE seconds, longer than clients use them.
"""

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any, Final

import uvicorn

from lightwork.clock import monotonic
from lightwork.errors import StoreUnavailable, UsageError
from lightwork.net.server.app import App
from lightwork.net.server.complaints import LOGGER, Complaints
from lightwork.net.server.connection import Connection

log = logging.getLogger(__name__)

KEEP_ALIVE: Final = 75
# What a call that is under way may still take when the server ends.
_END_SECONDS: Final = 1
_BACKLOG: Final = 1024
# No more files, in this process or on this machine, or no memory for one.
_FULL: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_FULL_SECONDS: Final = 60.0


class Server(uvicorn.Server):
    """One server of one app.

    Args:
        app: What it offers.
        listener: Where; closed at the end.
        tls: With which certificate; None: without TLS.
        on_ready: Called once it answers.
        connection: What connections are.
    """

    def __init__(
        self,
        app: App,
        listener: socket.socket,
        *,
        tls: ssl.SSLContext | None = None,
        on_ready: Callable[[], None] = lambda: None,
        connection: type[Connection] = Connection,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=connection,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                # Neither who asks nor where we are is learnt from a header.
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=_END_SECONDS,
                ssl_context_factory=None if tls is None else lambda *_: tls,
            )
        )
        self._app = app
        self._listener = listener
        self._on_ready = on_ready
        self._tell_full_at = 0.0
        self._complaints = Complaints()

    def serve_here(self) -> None:
        """Serve until a signal, or `should_exit`; in the main thread, signals end it."""
        LOGGER.addFilter(self._complaints)
        try:
            with _signals_that_are_over():
                self.run(sockets=[self._listener])
        finally:
            LOGGER.removeFilter(self._complaints)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        asyncio.get_running_loop().set_exception_handler(self._note_fault)
        await super().startup(sockets)
        log.info("server_started parser=httptools")
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer whoever waits, then end."""
        self._app.stop()
        # They write their answers before their connections are told to end.
        await asyncio.sleep(0)
        await super().shutdown(sockets)

    def _note_fault(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log what the loop met; once a minute that there are too many connections.

        The loop tries a thousand times a second then, and would log each with a traceback: anybody
        who opens connections could fill the disk.
        """
        error = context.get("exception")
        if not (isinstance(error, OSError) and error.errno in _FULL):
            loop.default_exception_handler(context)
        elif monotonic() >= self._tell_full_at:
            self._tell_full_at = monotonic() + _FULL_SECONDS
            log.warning("server_full error=%s; more may come when others have gone", error.strerror)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there.

    Raises:
        UsageError: There is no such address here.
        StoreUnavailable: Somebody listens there.
    """
    try:
        (family, _, _, _, address), *_ = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        # The protocol by its number: asyncio turns Nagle's algorithm off, 40 ms an answer, only where
        # it is sure that it is TCP.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_BACKLOG)
        except BaseException:
            listener.close()
            raise
    except socket.gaierror as error:
        raise UsageError(f"--bind {host}:{port}: {error.strerror}") from error
    except OSError as error:
        raise StoreUnavailable(f"cannot listen at {host}:{port}: {error.strerror}") from error
    return listener


@contextlib.contextmanager
def _signals_that_are_over() -> Iterator[None]:
    """Let nothing become of the signals that uvicorn raises again when it has obeyed them."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    try:
        before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    except ValueError:
        # Not in the main thread: there are none.
        yield
        return
    try:
        yield
    finally:
        for number, obeyed in before.items():
            signal.signal(number, obeyed)
