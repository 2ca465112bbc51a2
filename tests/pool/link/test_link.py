"""The pool's end of a child, with a test in the child's place."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from no_pool import NoPool

from lightwork.pool.call.options import PLAIN
from lightwork.pool.link.channel import ChildEnds, open_channel
from lightwork.pool.link.link import ChildLink
from lightwork.pool.link.process_call import ProcessCall
from lightwork.pool.memory.control_block import PACKETS, ControlBlock
from lightwork.pool.memory.inbox import InboxReader
from lightwork.pool.memory.outbox import Outbox
from lightwork.pool.wire.frames import PACKET_SIZE, Kind, Packet, pack_frame, unpack_packet
from lightwork.pool.wire.function import Function


@dataclass
class Child:
    """The child's side, by hand."""

    link: ChildLink
    ends: ChildEnds
    page: ControlBlock
    outbox: Outbox

    def take(self) -> Packet:
        return unpack_packet(os.read(self.ends.packets, PACKET_SIZE))

    def body(self, packet: Packet) -> bytes:
        if packet.offset < 0:
            return packet.body
        return bytes(InboxReader(self.ends.inbox).read(packet.offset, packet.size))


@pytest.fixture
def child() -> Iterator[Child]:
    pool_ends, child_ends = open_channel()
    link = ChildLink(1, "child", pool_ends)
    page = ControlBlock(child_ends.block)
    yield Child(link, child_ends, page, Outbox(page, child_ends.results))
    page.close()
    child_ends.close()
    link.close()


def make_call(seq: int, body: bytes = b"args", function: Function | None = None) -> ProcessCall:
    return ProcessCall(seq, function or DOUBLE, body, PLAIN, NoPool())


DOUBLE = Function(1, "double", b"the function")


def send(link: ChildLink, *calls: ProcessCall) -> list[ProcessCall]:
    for call in calls:
        link.stage(call)
    return link.flush()


def test_a_function_is_sent_once(child: Child) -> None:
    send(child.link, make_call(1), make_call(2))

    kinds = [child.take().kind for _ in range(3)]

    assert kinds == [Kind.FUNCTION, Kind.CALL, Kind.CALL]


@pytest.mark.parametrize("size", [0, 40, 41, 5000, 40_000, 300_000])
def test_bodies_arrive_whatever_their_size(child: Child, size: int) -> None:
    body = os.urandom(size)
    send(child.link, make_call(1, body))
    child.take()

    assert child.body(child.take()) == body


def test_what_the_child_has_not_taken_is_taken_back_in_order(child: Child) -> None:
    calls = [make_call(seq) for seq in range(1, 6)]
    send(child.link, *calls)
    child.take()
    child.take()

    taken = child.link.recall()

    assert taken == calls[1:]
    assert list(child.link.held.calls.values()) == calls[:1]
    assert not any(call.is_running() for call in taken)
    assert child.page.words[PACKETS] == 2


def test_a_function_that_was_taken_back_is_sent_again(child: Child) -> None:
    call = make_call(1)
    send(child.link, call)
    child.link.recall()
    send(child.link, call)

    assert [child.take().kind for _ in range(2)] == [Kind.FUNCTION, Kind.CALL]


def test_a_function_that_was_read_survives_the_recall_of_its_call(child: Child) -> None:
    large = Function(2, "large", b"f" * 10_000)
    send(child.link, make_call(1, function=large))
    packet = child.take()
    child.link.recall()
    send(child.link, make_call(2, b"other" * 3000, function=large))

    assert child.body(packet) == large.blob
    assert child.take().seq == 2


def test_calls_that_find_the_pipe_full_are_returned(child: Child) -> None:
    calls = [make_call(seq, b"x" * 100) for seq in range(1, 1500)]

    unsent = send(child.link, *calls)

    assert 0 < len(unsent) < len(calls)
    assert calls[-len(unsent) :] == unsent
    assert len(child.link.held.calls) == len(calls) - len(unsent)
    assert child.page.words[PACKETS] == len(child.link.held.calls) + 1


def test_answers_come_through_the_pipe(child: Child) -> None:
    child.outbox.put(pack_frame(Kind.VALUE, 1, b"one"))
    child.outbox.flush()

    assert [frame.body for frame in child.link.read()] == [b"one"]


def test_an_answer_that_was_peeked_at_is_not_seen_again(child: Child) -> None:
    child.outbox.put(pack_frame(Kind.VALUE, 1, b"one"))
    peeked = child.link.peek()
    child.outbox.put(pack_frame(Kind.VALUE, 2, b"two"))
    child.outbox.flush()

    assert [frame.body for frame in peeked] == [b"one"]
    assert [frame.body for frame in child.link.read()] == [b"two"]


def test_answers_that_a_dead_child_had_not_sent_are_seen(child: Child) -> None:
    child.outbox.put(pack_frame(Kind.VALUE, 1, b"one"))
    child.outbox.flush()
    child.outbox.put(pack_frame(Kind.VALUE, 2, b"two"))

    assert [frame.body for frame in child.link.last_words()] == [b"one", b"two"]


def test_memory_of_answered_calls_is_used_again(child: Child) -> None:
    for seq in range(1, 200):
        send(child.link, make_call(seq, b"x" * 10_000), make_call(1000 + seq, b"y" * 100_000))
        child.link.forget(seq)
        child.link.forget(1000 + seq)

    assert os.fstat(child.ends.inbox).st_size <= 4 << 20
    assert child.link.held.bytes == 0
    assert child.link.held.seconds == 0.0
