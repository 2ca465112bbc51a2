"""Outbox: the child's end of the result stream. See control_block.py and sending.py for the theory.

Invariant: whoever sleeps has sent. Before its process may block it calls `flush`, and
after that nothing is unsent, whatever an outbox around this one adds.
"""

import os
from typing import Final, Protocol

from lightwork.pool.memory.control_block import (
    OUTBOX_SIZE,
    PRODUCED,
    RING_FRAME_MAX,
    RING_FROM,
    ControlBlock,
)
from lightwork.pool.memory.sending import must_send_first

_WRITE_MAX: Final = 1 << 30


class AnyOutbox(Protocol):
    """What writes frames: the plain one, or one that sends log records too (child/log_sender.py)."""

    def put(self, frame: bytes) -> None:
        """Keep a frame so that it survives this process; send it later."""

    def flush(self) -> None:
        """Send all that waits; then this process may sleep."""


class Outbox:
    """Collects frames in shared memory and sends them in batches."""

    def __init__(self, block: ControlBlock, fd: int) -> None:
        self._words = block.words
        self._ring = block.outbox
        self._fd = fd
        self._produced = 0
        self._sent = 0

    def put(self, frame: bytes) -> None:
        """Keep a frame so that it survives this process; send it later."""
        size = len(frame)
        if must_send_first(size, self._produced - self._sent):
            self.flush()
        if size > RING_FRAME_MAX:
            self._send(memoryview(frame))
            self._produced += size
            self._sent += size
            # First: whoever sees the new end must know that the ring has not got it.
            self._words[RING_FROM] = self._produced
        else:
            self._copy(frame, size)
            self._produced += size
        self._words[PRODUCED] = self._produced

    def flush(self) -> None:
        """Send all that waits; then this process may sleep."""
        if self._produced == self._sent:
            return
        start, end = self._sent % OUTBOX_SIZE, self._produced % OUTBOX_SIZE
        if start < end:
            self._send(self._ring[start:end])
        else:
            self._send(self._ring[start:])
            self._send(self._ring[:end])
        self._sent = self._produced

    def _copy(self, frame: bytes, size: int) -> None:
        start = self._produced % OUTBOX_SIZE
        room = OUTBOX_SIZE - start
        if size <= room:
            self._ring[start : start + size] = frame
        else:
            self._ring[start:] = frame[:room]
            self._ring[: size - room] = frame[room:]

    def _send(self, data: memoryview) -> None:
        # One write takes at most about 2 GiB, and a signal may cut it short.
        while data:
            data = data[os.write(self._fd, data[:_WRITE_MAX]) :]
