"""Connection: the broker's end of a line: what has come in part, and what could not yet be sent.

Never waits. What a client does not read stays here, and no more is read of that client until it has been sent:
at most one answer, and the questions that fit into the kernel's buffer.
"""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lightwork.machines.shapes import Caller
from lightwork.sync.broker.protocol import ANSWERED, HEAD, LARGE, frame, length_of, parts_of

# Read at once: as much as nobody else has to wait long for, in the middle of something large; else as
# much as memory costs nothing for (256 KiB: 13 us a time, for they are mapped anew).
_TURN: Final = 256 << 10
_FIRST: Final = 64 << 10


@dataclass(slots=True, eq=False)
class Connection:
    """One line.

    Attributes:
        socket: Non-blocking.
        number: By which its client speaks of it on another line.
        pid: Of the process that connected.
        on_full: Called when the client must read before more can be sent.
        session: Whose it is; b"" before it has said so.
        caller: Who asked last.
        question: The number of the last question.
        waiting_at: What its question waits for, as the one who keeps it knows; None: nothing.
        last: The frame of the last answer, for whoever was interrupted as it came.
    """

    socket: socket.socket
    number: int
    pid: int
    on_full: Callable[["Connection"], None]
    session: bytes = b""
    caller: Caller = field(default_factory=lambda: Caller(b"", 0))
    question: int = -1
    waiting_at: Any = None
    last: bytes = b""
    is_closed: bool = False
    _received: bytearray = field(default_factory=bytearray)
    _unsent: memoryview = field(default_factory=lambda: memoryview(b""))

    def receive(self) -> list[tuple[Any, ...]]:
        """Return the messages that are complete, as far as one turn goes.

        Raises:
            EOFError: The client has closed it, or its process has died.
            FrameError: It speaks another protocol.
        """
        try:
            data = self.socket.recv(_TURN if self._received else _FIRST)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError as error:
            raise EOFError from error
        if not data:
            raise EOFError
        if not self._received and len(data) >= HEAD and length_of(data) == len(data) - HEAD:
            # Nearly always: one message, whole.
            return [parts_of(memoryview(data)[HEAD:])]
        self._received += data
        return self._complete()

    def _complete(self) -> list[tuple[Any, ...]]:
        messages = []
        start = 0
        while len(self._received) - start >= HEAD:
            end = start + HEAD + length_of(self._received[start : start + HEAD])
            if len(self._received) < end:
                break
            with memoryview(self._received) as view:
                messages.append(parts_of(view[start + HEAD : end]))
            start = end
        del self._received[:start]
        return messages

    def answer(self, number: int, outcome: int, value: Any = None) -> None:
        """Send an answer, as much of it as fits now; keep it for who cannot know that it came."""
        self.waiting_at = None
        self.last = frame((number, outcome, value))
        if self._unsent:
            # Asked without reading: no client of ours does.
            self._unsent = memoryview(bytes(self._unsent) + self.last)
        elif not self.is_closed:
            self._send(memoryview(self.last))
            if self._unsent:
                self.on_full(self)

    def answer_with(self, number: int, value: Any, descriptors: Sequence[int]) -> None:
        """Send an answer that has descriptors, at once or not at all.

        Raises:
            EOFError: The client has asked before without reading the answer: no client of ours does.
        """
        self.waiting_at, self.last = None, b""
        message = frame((number, ANSWERED, value))
        try:
            sent = 0 if self._unsent else socket.send_fds(self.socket, [message], descriptors)
        except OSError as error:
            raise EOFError from error
        if sent < len(message):
            raise EOFError

    def send_rest(self) -> None:
        """Send more of what could not be sent before."""
        self._send(self._unsent)

    def _send(self, data: memoryview) -> None:
        try:
            sent = self.socket.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            # Its end shows when it is read.
            sent = len(data)
        self._unsent = data[sent:]

    def forget_last(self) -> None:
        """Let go of the last answer if it is large: its client has it."""
        if len(self.last) > LARGE:
            self.last = b""

    @property
    def has_unsent(self) -> bool:
        """Whether the client has yet to read before more can be sent."""
        return len(self._unsent) > 0

    def close(self) -> None:
        """Close it; idempotent."""
        self.is_closed = True
        self.socket.close()
