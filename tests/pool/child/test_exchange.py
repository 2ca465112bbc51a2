"""What passes between a child and its pool, seen in one process that plays both."""

import operator
import os
from collections.abc import Iterator

import pytest

from lightwork.pool.child import exchange as child_side
from lightwork.pool.child.exchange import ENDS, Exchange
from lightwork.pool.link.channel import open_channel
from lightwork.pool.memory.control_block import PACKETS, ControlBlock
from lightwork.pool.wire.frames import Frame, FrameReader, Kind, pack_frame, pack_packet
from lightwork.pool.wire.pickling import dump

FUNCTION = pack_packet(Kind.FUNCTION, 1, 0, dump(operator.neg))
CALL = pack_packet(Kind.CALL, 1, 7, dump(((5,), {})))


class Both:
    """The pool's descriptors, and the exchange of its child."""

    def __init__(self, blocks: list[ControlBlock]) -> None:
        self.pool, child = open_channel()
        self.child = [*child.all(), os.memfd_create("arena")]
        assert len(self.child) == ENDS
        self.exchange = Exchange(self.child)
        (self.block,) = blocks
        self.is_gone = False

    def send(self, *packets: bytes, counted: bool = True) -> None:
        if counted:
            self.exchange.words[PACKETS] += len(packets)
        os.write(self.pool.packets, b"".join(packets))

    def sent(self) -> list[Frame]:
        """Return what the child has sent, and does not keep."""
        try:
            return FrameReader().feed(os.read(self.pool.results, 1 << 16))
        except BlockingIOError:
            return []

    def hang_up(self) -> None:
        """Close what the pool writes to, as its end does."""
        if not self.is_gone:
            self.is_gone = True
            os.close(self.pool.packets)

    def close(self) -> None:
        self.hang_up()
        self.block.close()
        for fd in (self.pool.results, *self.child, self.exchange._look):
            os.close(fd)


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Iterator[Both]:
    # The exchange of a child is the only one of its process.
    blocks: list[ControlBlock] = []
    monkeypatch.setattr(child_side, "own_block", blocks)
    monkeypatch.setattr(child_side, "shelves", [])
    monkeypatch.setattr(os, "register_at_fork", lambda **_: None)
    made = Both(blocks)
    yield made
    made.close()


def test_a_function_is_learnt_on_the_way_to_its_call(both: Both) -> None:
    both.send(FUNCTION, CALL)

    packet = both.exchange.next_packet()

    assert (packet.kind, packet.seq) == (Kind.CALL, 7)
    assert both.exchange.open_call(packet) == (operator.neg, (5,), {})


def test_a_function_that_is_replaced_is_forgotten(both: Both) -> None:
    other = pack_packet(Kind.FUNCTION, 2, 1, dump(operator.pos))
    both.send(FUNCTION, other, CALL)

    packet = both.exchange.next_packet()

    with pytest.raises(KeyError):
        both.exchange.open_call(packet)


def test_whoever_looks_does_not_wait(both: Both) -> None:
    assert both.exchange.look() is None

    both.send(FUNCTION)
    assert both.exchange.look() is None

    both.send(CALL)
    assert both.exchange.look() is not None


def test_answers_are_kept_while_more_has_come_and_sent_before_a_read_that_may_sleep(
    both: Both,
) -> None:
    both.send(FUNCTION, CALL, CALL)
    both.send(CALL, counted=False)
    both.exchange.next_packet()
    both.exchange.outbox.put(pack_frame(Kind.VALUE, 7, b"kept"))

    both.exchange.next_packet()
    assert both.sent() == []

    both.exchange.next_packet()
    assert [frame.body for frame in both.sent()] == [b"kept"]


def test_what_was_let_go_of_is_told_before_the_next_packet(both: Both) -> None:
    both.exchange._let_go.append(3)
    both.send(CALL, counted=False)

    both.exchange.next_packet()

    assert [(frame.kind, frame.seq) for frame in both.sent()] == [(Kind.LET_GO, 3)]


def test_a_child_whose_pool_is_gone_is_told_to_stop(both: Both) -> None:
    both.hang_up()

    assert both.exchange.next_packet().kind == Kind.STOP
