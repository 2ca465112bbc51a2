"""What a child logs itself is sent before it may sleep, wherever a finalizer logs it."""

from threading import get_ident

import pytest

from lightwork.pool.child.log_sender import LoggingOutbox
from lightwork.pool.wire.frames import Frame, FrameReader, Kind, pack_frame


class Said:
    """An outbox in the middle of which, at one act, a finalizer logs."""

    def __init__(self, act: int) -> None:
        self.act = act
        self.acts = 0
        self.kept = b""
        self.sent: list[Frame] = []
        self.outbox = LoggingOutbox(self)

    def put(self, frame: bytes) -> None:
        self._be_interrupted()
        self.kept += frame
        self._be_interrupted()

    def flush(self) -> None:
        self._be_interrupted()
        self.sent += FrameReader().feed(self.kept)
        self.kept = b""
        self._be_interrupted()

    def _be_interrupted(self) -> None:
        self.acts += 1
        if self.acts == self.act:
            assert self.outbox._thread == get_ident()
            self.outbox.say(b"from a finalizer")


@pytest.mark.parametrize("act", range(1, 5))
def test_what_a_finalizer_logs_amid_a_write_is_sent_before_the_child_sleeps(act: int) -> None:
    said = Said(act)
    said.outbox.put(pack_frame(Kind.VALUE, 1, b"an answer"))

    said.outbox.flush()

    assert {frame.body for frame in said.sent} == {b"an answer", b"from a finalizer"}
    assert said.kept == b""
