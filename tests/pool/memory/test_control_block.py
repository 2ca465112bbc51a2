"""No finished answer is lost, wherever its child is killed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwork.pool.memory.control_block import (
    OUTBOX_SIZE,
    RING_FRAME_MAX,
    ControlBlock,
    make_control_block,
)
from lightwork.pool.memory.outbox import Outbox
from lightwork.pool.wire.frames import Frame, FrameReader, pack_frame


class Killed(BaseException):
    """The child's process ended here."""


class Pipe:
    """A pipe's kernel side that a test can make small, and its child's side mortal."""

    def __init__(self) -> None:
        self.held = bytearray()
        # Bytes that the child lives to write.
        self.life = 1 << 60

    def write(self, data: memoryview) -> int:
        written = min(len(data), self.life, 70_000)
        self.held += data[:written]
        self.life -= written
        if self.life == 0:
            raise Killed
        return written


class PoolSide:
    """What ChildLink does with pipe and block, and nothing else of it."""

    def __init__(self, block: ControlBlock, pipe: Pipe) -> None:
        self.block, self.pipe = block, pipe
        self.reader = FrameReader()
        self.received = self.ahead = 0
        self.seen: list[Frame] = []

    def read(self, most: int) -> None:
        data = bytes(self.pipe.held[:most])
        del self.pipe.held[:most]
        known = min(self.ahead, len(data))
        self.ahead -= known
        self.received += len(data) - known
        self.seen += self.reader.feed(data[known:])

    def peek(self) -> None:
        self.take_ahead(self.block.peek_stream(self.received))

    def bury(self) -> None:
        self.read(1 << 60)
        self.take_ahead(self.block.read_stream(self.received))

    def take_ahead(self, data: bytes) -> None:
        self.received += len(data)
        self.ahead += len(data)
        self.seen += self.reader.feed(data)


@contextmanager
def open_block() -> Iterator[ControlBlock]:
    fd = make_control_block()
    block = ControlBlock(fd)
    os.close(fd)
    try:
        yield block
    finally:
        block.close()


SIZES = st.one_of(
    st.integers(0, 200),
    st.integers(0, RING_FRAME_MAX + 100),
    st.sampled_from([RING_FRAME_MAX - 24, RING_FRAME_MAX - 23, OUTBOX_SIZE, 3 * OUTBOX_SIZE]),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), SIZES),
        st.tuples(st.just("flush"), st.just(0)),
        st.tuples(st.just("read"), st.integers(0, 100_000)),
        st.tuples(st.just("peek"), st.just(0)),
    ),
    max_size=30,
)


@given(steps=STEPS, life=st.one_of(st.just(1 << 60), st.integers(1, 300_000)))
@settings(max_examples=300, deadline=None)
def test_every_finished_frame_is_seen_exactly_once_wherever_the_child_is_killed(
    steps: list[tuple[str, int]], life: int
) -> None:
    finished: list[Frame] = []
    begun: list[Frame] = []
    with open_block() as block, pytest.MonkeyPatch.context() as patch:
        pipe = Pipe()
        pipe.life = life
        patch.setattr("lightwork.pool.memory.outbox.os.write", lambda _, data: pipe.write(data))
        outbox, pool = Outbox(block, -1), PoolSide(block, pipe)

        try:
            for seq, (step, size) in enumerate(steps):
                if step == "put":
                    body = bytes([seq]) * size
                    begun.append(Frame(11, seq, 0, body))
                    outbox.put(pack_frame(11, seq, body))
                    finished.append(begun[-1])
                elif step == "flush":
                    outbox.flush()
                elif step == "read":
                    pool.read(size)
                else:
                    pool.peek()
        except Killed:
            pass
        pool.bury()

    # One that was being written may have arrived whole; nothing beyond that.
    assert pool.seen in (finished, begun)


def test_a_waiting_answer_can_be_seen_while_the_child_runs_on() -> None:
    with open_block() as block:
        outbox, pool = Outbox(block, -1), PoolSide(block, Pipe())
        outbox.put(pack_frame(11, 5, b"done"))

        pool.peek()

    assert pool.seen == [Frame(11, 5, 0, b"done")]


@given(sizes=st.lists(SIZES, min_size=1, max_size=30))
@settings(max_examples=200, deadline=None)
def test_whatever_a_child_keeps_back_can_be_seen_while_it_runs_on(sizes: list[int]) -> None:
    with open_block() as block, pytest.MonkeyPatch.context() as patch:
        pipe = Pipe()
        patch.setattr("lightwork.pool.memory.outbox.os.write", lambda _, data: pipe.write(data))
        outbox, pool = Outbox(block, -1), PoolSide(block, pipe)

        for seq, size in enumerate(sizes):
            outbox.put(pack_frame(11, seq, bytes(size)))
        pool.read(1 << 30)
        pool.peek()

    assert len(pool.seen) == len(sizes)


def test_the_end_of_a_large_frame_is_never_looked_for_in_the_ring() -> None:
    frame = pack_frame(11, 1, b"x" * OUTBOX_SIZE)
    with open_block() as block, pytest.MonkeyPatch.context() as patch:
        pipe = Pipe()
        patch.setattr("lightwork.pool.memory.outbox.os.write", lambda _, data: pipe.write(data))
        outbox, pool = Outbox(block, -1), PoolSide(block, pipe)
        outbox.put(frame)
        pool.read(len(frame) - 100)

        pool.peek()
        pool.read(100)

    assert pool.seen == [Frame(11, 1, 0, b"x" * OUTBOX_SIZE)]
