"""Line: a client's end of one connection: one question at a time, and its answer.

Blocks the thread that asks, which a signal's function may interrupt anywhere: then nobody knows what was
sent or read, and the line is of no more use but to be asked about (host.py). So it is with a broker that is stopped: whoever
has set a time hears of that by SilentError, at most GRACE seconds later, and leaves the line as it is.
"""

import socket
import struct
import time
from typing import Any, Final

from lightwork.sync.broker import protocol
from lightwork.sync.broker.protocol import HEAD, LARGE, SilentError, answer_of, frame, length_of

# Seconds that a broker has for its answer when the time is up: many times what a busy machine needs.
GRACE: Final = 5.0
_FIRST: Final = 64 << 10
# Seconds of one wait: poll(2) counts milliseconds in 31 bits, and a time-out may be longer.
_LONGEST: Final = 1e6
_number: Final = struct.Struct("i")
# At most so many come with one answer.
_DESCRIPTORS: Final = 4


class Line:
    """A connection that belongs to a session.

    Attributes:
        number: By which the broker knows it.
        question: The number of the last question.
        settled: The number of the last one whose answer is where it belongs. Whoever is interrupted takes back what
            came after it, and nothing before.
    """

    def __init__(self, line: socket.socket) -> None:
        self.socket = line
        self.number = 0
        self.question = self.settled = 0

    def greet(self, session: bytes) -> None:
        """Ask to become one of the session's; `join` says when it is.

        Raises:
            EOFError: The broker ends, or has ended.
        """
        self._send(frame((protocol.HELLO, session)), GRACE)

    def join(self, patience: float | None) -> None:
        """Wait until it is one of the session's; again after a TimeoutError.

        Raises:
            EOFError: The broker ends, or has ended.
            TimeoutError: It has not answered in so many seconds.
        """
        _, _, self.number = self._receive(patience)

    def ask(self, kind: int, parts: tuple[Any, ...], timeout: float | None) -> tuple[int, Any]:
        """Ask, and return what became of it: an outcome of the protocol, and its value.

        Raises:
            EOFError: The broker has ended.
            SilentError: It does not answer, and the time is up; without one it is waited for.
            ValueError: The question is too large.
        """
        self.question += 1
        question = frame((kind, self.question, *parts))
        withdrawal = frame((protocol.WITHDRAW, self.question))
        if timeout is None:
            self._send(question, None)
            return self._answer(None)
        if timeout <= 0:
            self._send(question + withdrawal, GRACE)
            return self._last_answer()
        self._send(question, timeout + GRACE)
        try:
            return self._answer(timeout)
        except TimeoutError:
            # Exactly one answer comes: the one that was on its way, or that there will be none.
            self._send(withdrawal, GRACE)
            return self._last_answer()

    def ask_for_descriptors(self, parts: tuple[Any, ...]) -> tuple[int, Any]:
        """Ask for a ring; the value is what was answered and the descriptors, which are the caller's, that came with it.

        Not to be interrupted.

        Raises:
            EOFError: The broker has ended.
            SilentError: It does not answer.
        """
        self.question += 1
        self._send(frame((protocol.RING, self.question, *parts)), GRACE)
        self.socket.settimeout(GRACE)
        try:
            data, ancillary, _, _ = self.socket.recvmsg(
                _FIRST, socket.CMSG_SPACE(_DESCRIPTORS * _number.size), socket.MSG_CMSG_CLOEXEC
            )
        except TimeoutError:
            raise SilentError from None
        except ConnectionResetError as error:
            raise EOFError from error
        finally:
            self.socket.settimeout(None)
        if not data:
            raise EOFError
        _, outcome, value = self._receive(GRACE, data)
        packed = b"".join(content for _, _, content in ancillary)
        return outcome, (value, [number for (number,) in _number.iter_unpack(packed)])

    def tell(self, parts: tuple[Any, ...]) -> None:
        """Say what has no answer."""
        self._send(frame(parts), GRACE)

    def _last_answer(self) -> tuple[int, Any]:
        try:
            return self._answer(GRACE)
        except TimeoutError:
            raise SilentError from None

    def _answer(self, patience: float | None) -> tuple[int, Any]:
        _, outcome, value = self._receive(patience)
        return outcome, value

    def _send(self, data: bytes, patience: float | None) -> None:
        try:
            try:
                done = self.socket.send(data, socket.MSG_DONTWAIT)
            except BlockingIOError:
                done = 0
            if done < len(data):
                self._send_rest(data, done, patience)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise EOFError from error

    def _send_rest(self, data: bytes, done: int, patience: float | None) -> None:
        """Send what has found no room; `patience`: seconds in which the broker reads nothing of it."""
        self.socket.settimeout(None if patience is None else min(patience, _LONGEST))
        try:
            with memoryview(data) as view:
                while done < len(data):
                    done += self.socket.send(view[done:])
        except TimeoutError:
            raise SilentError from None
        finally:
            self.socket.settimeout(None)

    def _receive(self, patience: float | None, first: bytes = b"") -> tuple[int, int, Any]:
        """Return a message, which may have begun; TimeoutError only before anything of it is here."""
        data: bytes | bytearray = first or self._first(patience)
        if len(data) < HEAD or len(data) < HEAD + length_of(data):
            data = self._whole(data, patience)
        if len(data) > HEAD + LARGE:
            self._send(frame((protocol.GOT,)), None if patience is None else GRACE)
        return answer_of(memoryview(data)[HEAD:])

    def _first(self, patience: float | None) -> bytes:
        if patience is None:
            return self._more(_FIRST)
        end = time.monotonic() + patience
        try:
            while True:
                left = end - time.monotonic()
                self.socket.settimeout(min(max(left, 1e-6), _LONGEST))
                try:
                    return self._more(_FIRST)
                except TimeoutError:
                    if left <= _LONGEST:
                        raise
        finally:
            self.socket.settimeout(None)

    def _whole(self, data: bytes | bytearray, patience: float | None) -> bytes | bytearray:
        """Return a message of which this is the beginning."""
        self.socket.settimeout(None if patience is None else GRACE)
        try:
            while len(data) < HEAD:
                data += self._more(_FIRST)
            return self._rest(data, HEAD + length_of(data))
        except TimeoutError:
            raise SilentError from None
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
