"""Line: a client's end of one connection: one question at a time, and its answer.

Blocks the thread that asks, which a signal's function may interrupt anywhere: then nobody knows what was
sent or read, and the line is of no more use but to be asked about (host.py).
"""

import socket
import time
from typing import Any, Final

from lightwork.sync.broker import protocol
from lightwork.sync.broker.protocol import HEAD, LARGE, answer_of, frame, length_of

_FIRST: Final = 64 << 10


class Line:
    """A connection that belongs to a session.

    Attributes:
        number: By which the broker knows it.
        question: The number of the last question.
    """

    def __init__(self, line: socket.socket) -> None:
        self.socket = line
        self.number = 0
        self.question = 0

    def join(self, session: bytes) -> None:
        """Become one of the session's.

        Raises:
            EOFError: The broker ends, or has ended.
        """
        self._send(frame((protocol.HELLO, session)))
        _, _, self.number = self._receive(None)

    def ask(self, kind: int, parts: tuple[Any, ...], timeout: float | None) -> tuple[int, Any]:
        """Ask, and return what became of it: an outcome of the protocol, and its value.

        Raises:
            EOFError: The broker has ended.
            ValueError: The question is too large.
        """
        self.question += 1
        question = frame((kind, self.question, *parts))
        withdrawal = frame((protocol.WITHDRAW, self.question))
        if timeout is not None and timeout <= 0:
            self._send(question + withdrawal)
            return self._answer(None)
        self._send(question)
        if timeout is None:
            return self._answer(None)
        try:
            return self._answer(time.monotonic() + timeout)
        except TimeoutError:
            # Exactly one answer comes: the one that was on its way, or that there will be none.
            self._send(withdrawal)
            return self._answer(None)

    def tell(self, parts: tuple[Any, ...]) -> None:
        """Say what has no answer."""
        self._send(frame(parts))

    def _answer(self, end: float | None) -> tuple[int, Any]:
        _, outcome, value = self._receive(end)
        return outcome, value

    def _send(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise EOFError from error

    def _receive(self, end: float | None) -> tuple[int, int, Any]:
        """Return a message; TimeoutError only before anything of it is here."""
        data: bytes | bytearray = self._first(end)
        while len(data) < HEAD:
            data += self._more(_FIRST)
        length = length_of(data)
        if len(data) < HEAD + length:
            data = self._rest(data, HEAD + length)
        if length > LARGE:
            self._send(frame((protocol.GOT,)))
        return answer_of(memoryview(data)[HEAD:])

    def _first(self, end: float | None) -> bytes:
        if end is None:
            return self._more(_FIRST)
        self.socket.settimeout(max(end - time.monotonic(), 1e-6))
        try:
            return self._more(_FIRST)
        finally:
            self.socket.settimeout(None)

    def _rest(self, data: bytes | bytearray, size: int) -> bytearray:
        whole = bytearray(size)
        whole[: len(data)] = data
        with memoryview(whole) as view:
            done = len(data)
            while done < size:
                count = self.socket.recv_into(view[done:])
                if not count:
                    raise EOFError
                done += count
        return whole

    def _more(self, size: int) -> bytes:
        try:
            data = self.socket.recv(size)
        except ConnectionResetError as error:
            raise EOFError from error
        if not data:
            raise EOFError
        return data

    def close(self) -> None:
        """Close it."""
        self.socket.close()
