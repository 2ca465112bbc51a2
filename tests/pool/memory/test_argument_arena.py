"""The pool's memory for large arguments: kept as long as needed, then given back."""

import os
from collections.abc import Iterator

import pytest

from lightwork.pool.memory.argument_arena import Arena, Extent
from lightwork.pool.memory.large_value import KEEP, Bulk, open_bulk

SIZE = 100_000


@pytest.fixture
def arena() -> Iterator[Arena]:
    arena = Arena()
    yield arena
    arena.close()


def put(arena: Arena, *pieces: bytes) -> tuple[Bulk, Extent]:
    put = arena.put(pieces)
    assert put is not None
    return Bulk.unpack(put[0]), put[1]


def read(arena: Arena, bulk: Bulk) -> bytes:
    return bytes(open_bulk(arena.child_fd, bulk, lambda: None))


def used(arena: Arena) -> int:
    """Return how many bytes of memory its file takes."""
    return os.fstat(arena.child_fd).st_blocks * 512


def test_memory_is_used_again_when_nobody_holds_it(arena: Arena) -> None:
    offsets = set()
    for _ in range(100):
        bulk, extent = put(arena, b"x" * SIZE)
        offsets.add(bulk.offset)
        del extent

    assert offsets == {0}


def test_memory_that_is_held_is_not_used_again(arena: Arena) -> None:
    held = [put(arena, bytes([n]) * SIZE) for n in range(20)]
    del held[::2]
    held += [put(arena, bytes([n]) * SIZE) for n in range(20, 40)]

    seen = [set(read(arena, bulk)) for bulk, _ in held]

    assert seen == [{n} for n in [*range(1, 20, 2), *range(20, 40)]]


def test_children_cannot_write_to_it(arena: Arena) -> None:
    put(arena, b"x" * SIZE)

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.pwrite(arena.child_fd, b"y", 0)


def test_what_was_needed_once_goes_back_to_the_system(arena: Arena) -> None:
    body = bytes(KEEP // 2)
    held = [put(arena, body)[1] for _ in range(4)]
    most = used(arena)

    held.clear()

    assert most >= 2 * KEEP
    assert used(arena) <= KEEP


def test_a_small_value_that_is_kept_does_not_keep_all(arena: Arena) -> None:
    small = put(arena, b"x" * SIZE)
    large = [put(arena, bytes(KEEP)) for _ in range(2)]

    large.clear()

    assert used(arena) <= KEEP
    assert read(arena, small[0]) == b"x" * SIZE


def test_a_closed_arena_takes_nothing(arena: Arena) -> None:
    arena.close()

    assert arena.put([b"x" * SIZE]) is None


def test_memory_may_be_let_go_of_after_the_end(arena: Arena) -> None:
    _, extent = put(arena, bytes(2 * KEEP))
    arena.close()

    del extent

    assert arena.child_fd == -1


def test_a_fork_does_not_cut_the_memory_of_its_parent(arena: Arena) -> None:
    bulk, extent = put(arena, b"x" * (KEEP + SIZE))
    pid = os.fork()
    if pid == 0:
        del extent
        os._exit(0)
    os.waitpid(pid, 0)

    assert read(arena, bulk)[-1:] == b"x"
    assert extent.size == KEEP + SIZE
