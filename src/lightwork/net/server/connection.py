"""Connection: one to a server, with the bounds that uvicorn's own lacks.

Whoever connects has proved nothing yet, and costs a descriptor and the bytes of a head. uvicorn reads heads
of any size, for as long as somebody sends a byte now and then, or none at all. Here

    the head of a request is there within HEAD_SECONDS of the connection, or of its first byte
    all of a request within REQUEST_SECONDS
    an answer that fills all buffers is read within as long
    what is no body (heads, trailers, the sizes of chunks) has MOST_BYTES, or as many as the body

and a connection that keeps to none of it is ended. A request that is answered late, as parked polls are, has
come within its time; what is idle between two requests is uvicorn's to end.
"""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS: Final = 10.0
# As long as a client of ours waits for the answer to a call.
REQUEST_SECONDS: Final = 60.0
MOST_BYTES: Final = 64 << 10
# Not gathered: to wait for the end of a turn of the loop would be to hold it twice.
_LARGE: Final = 64 << 10
# What stands in the line of a header beside its name and its value.
_LINE: Final = 4


class Joined:
    """A transport that sends what is written in one go together: uvicorn writes head and body apart.

    Each is a system call here, and one more on the other side, a fifth of what a small request costs.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._unsent: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send this before the loop waits for anything."""
        if not self._unsent:
            self._loop.call_soon(self._send)
        self._unsent.append(data)
        if len(data) > _LARGE:
            self._send()

    def close(self) -> None:
        """Close, when what was written is sent."""
        self._send()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _send(self) -> None:
        unsent, self._unsent = self._unsent, []
        if unsent and not self._transport.is_closing():
            self._transport.write(b"".join(unsent))


class Connection(HttpToolsProtocol):
    """One connection; used in the event loop."""

    head_seconds: float = HEAD_SECONDS
    request_seconds: float = REQUEST_SECONDS

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._deadline: asyncio.TimerHandle | None = None
        # Of an answer that fills the buffers, and is not read.
        self._unread: asyncio.TimerHandle | None = None
        # Of the request that is coming: what is no body of it.
        self._bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        super().connection_made(cast("asyncio.Transport", Joined(transport, self.loop)))
        self._end_after(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._wait_no_longer()
        if self._unread is not None:
            self._unread.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come, unless it is too much."""
        if self._deadline is None:
            self._end_after(self.head_seconds)
        self._bytes += len(data)
        super().data_received(data)
        if self._bytes > MOST_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of this request is too large.")

    def on_headers_complete(self) -> None:
        """Wait for the body, unless the head was too large although it came at once."""
        if len(self.url) + sum(len(n) + len(v) + _LINE for n, v in self.headers) > MOST_BYTES:
            raise ValueError("the head of this request is too large")
        super().on_headers_complete()
        self._end_after(self.request_seconds)

    def on_body(self, body: bytes) -> None:
        """Count it as one."""
        self._bytes = max(self._bytes - 2 * len(body), 0)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for nothing, until another request begins."""
        self._bytes = 0
        self._wait_no_longer()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Wait until the answer is read, but for what a buffer takes."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.request_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Wait for nothing: it is read."""
        if self._unread is not None:
            self._unread.cancel()
        super().resume_writing()

    def _end_after(self, seconds: float) -> None:
        self._wait_no_longer()
        self._deadline = self.loop.call_later(seconds, self.transport.abort)

    def _wait_no_longer(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
