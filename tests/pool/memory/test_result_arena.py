"""Large results: read as written, never overwritten while somebody looks."""

import os
from collections.abc import Iterator

import pytest

from lightwork.pool.memory.control_block import SLOTS, ControlBlock, make_control_block
from lightwork.pool.memory.large_value import KEEP
from lightwork.pool.memory.result_arena import Delivery, ResultArena, ResultArenaReader

# Results of that size are mapped, smaller ones are copied.
SIZE = 2 << 20


class Both:
    """An arena and its reader, as a child and its pool have them."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("test")
        block = make_control_block()
        self.blocks = [ControlBlock(block), ControlBlock(block)]
        os.close(block)
        self.arena = ResultArena(self.fd, self.blocks[0].words)
        self.reader = ResultArenaReader(self.fd, self.blocks[1].words)

    def send(self, *pieces: bytes) -> Delivery:
        place = self.arena.put(pieces)
        assert place is not None
        opened = self.reader.open(place)
        assert isinstance(opened, Delivery)
        return opened

    def used(self) -> int:
        return os.fstat(self.fd).st_blocks * 512

    def close(self) -> None:
        self.reader.close()
        for block in self.blocks:
            block.close()


@pytest.fixture
def both() -> Iterator[Both]:
    both = Both()
    yield both
    both.close()
    os.close(both.fd)


@pytest.mark.parametrize("size", [100, SIZE])
def test_results_arrive_whatever_their_size(both: Both, size: int) -> None:
    pieces = [b"pickle", b"x" * size, b"y" * size]

    arrived = both.send(*pieces).pieces()

    assert [bytes(piece) for piece in arrived] == pieces


def test_a_small_result_is_let_go_of_at_once(both: Both) -> None:
    kept = [both.send(b"pickle", bytes([n]) * 100).pieces() for n in range(3 * SLOTS)]

    assert [piece[1][0] for piece in kept] == list(range(len(kept)))


def test_a_result_that_is_looked_at_is_not_overwritten(both: Both) -> None:
    kept = both.send(b"pickle", b"a" * SIZE).pieces()
    for _ in range(3):
        both.send(b"pickle", b"b" * SIZE)

    assert set(bytes(kept[1])) == set(b"a")


def test_memory_is_used_again(both: Both) -> None:
    for _ in range(3 * SLOTS):
        both.send(b"pickle", b"a" * SIZE)

    assert both.used() <= 2 * SIZE


def test_a_full_arena_takes_nothing_until_something_is_let_go_of(both: Both) -> None:
    kept = [both.send(b"x" * SIZE) for _ in range(SLOTS)]

    full = both.arena.put([b"x"])
    del kept[3]

    assert full is None
    assert both.arena.put([b"x"]) is not None


def test_what_lies_far_out_goes_back_to_the_system_at_once(both: Both) -> None:
    first, second = both.send(bytes(KEEP)), both.send(b"x" * SIZE)
    before = both.used()

    del second

    assert before - both.used() == SIZE
    assert len(first.memory) == KEEP


def test_a_result_outlives_arena_and_block(both: Both) -> None:
    kept = both.send(b"pickle", b"a" * SIZE).pieces()
    both.close()

    assert set(bytes(kept[1])) == set(b"a")
