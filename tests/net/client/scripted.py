"""A server that does what a test says: connection by connection, byte by byte."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from lightwork.net.wire import media
from lightwork.net.wire.about import About

ABOUT = media.encode(About("server-1", "sqlite:///x", 1000, "0"), media.MSGPACK)
NONE = media.encode(None, media.MSGPACK)


class Heard:
    """What has come over one connection."""

    def __init__(self, raw: socket.socket, number: int) -> None:
        self.raw = raw
        self.number = number
        self._file = raw.makefile("rb")

    def request(self) -> str:
        """Read a request and return its first line; "": the client has gone."""
        head = []
        while line := self._file.readline().strip():
            head.append(line.decode())
        sizes = [line.split(":")[1] for line in head if line.lower().startswith("content-length")]
        self._file.read(int(sizes[0]) if sizes else 0)
        return head[0] if head else ""

    def answer(self, body: bytes, more: str = "") -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n{more}\r\n"
        self.raw.sendall(head.encode() + body)

    def close(self) -> None:
        self._file.close()
        self.raw.close()


@contextmanager
def scripted(script: Callable[[Heard], None]) -> Iterator[str]:
    """Run the script for each connection, in a thread of its own; yields the URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []
    heard: list[Heard] = []

    def run(one: Heard) -> None:
        with suppress(OSError):
            script(one)
        one.close()

    def accept() -> None:
        with suppress(OSError):
            while True:
                raw, _ = listener.accept()
                heard.append(Heard(raw, len(heard)))
                threads.append(threading.Thread(target=run, args=(heard[-1],)))
                threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for one in heard:
            with suppress(OSError):
                one.raw.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
