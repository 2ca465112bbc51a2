"""Large values in shared memory: read as written, and let go of exactly once."""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightwork.pool.memory.large_value import (
    VIEWS_MAX,
    Bulk,
    open_bulk,
    split,
    total_size,
    write_bulk,
)


@pytest.fixture
def file() -> Iterator[int]:
    fd = os.memfd_create("test")
    yield fd
    os.close(fd)


def write(fd: int, *pieces: bytes, offset: int = 4096) -> Bulk:
    bulk = Bulk(7, offset, tuple(map(len, pieces)))
    write_bulk(fd, bulk, pieces)
    return bulk


def ignore() -> None:
    pass


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=10).filter(any))
def test_pieces_are_read_as_they_were_written(pieces: list[bytes]) -> None:
    pieces.append(b"end")
    with ExitStack() as stack:
        fd = os.memfd_create("test")
        stack.callback(os.close, fd)
        bulk = Bulk.unpack(write(fd, *pieces).pack())

        seen = split(open_bulk(fd, bulk, ignore), bulk.sizes)

        assert [bytes(piece) for piece in seen] == pieces


def test_every_piece_is_aligned_for_any_number() -> None:
    sizes = (1, 100, 64)

    places = split(memoryview(bytearray(range(250)) + bytearray(100)), sizes)

    assert [piece[0] % 64 for piece in places] == [0, 0, 192 % 64]
    assert total_size(sizes) == 192 + 64


def test_what_a_reader_changes_is_his_alone(file: int) -> None:
    bulk = write(file, b"before")
    memory = open_bulk(file, bulk, ignore)

    memory[:] = b"after!"

    assert os.pread(file, 6, 4096) == b"before"
    assert bytes(open_bulk(file, bulk, ignore)) == b"before"


def test_memory_is_let_go_of_when_nothing_looks_at_it_any_more(file: int) -> None:
    let_go: list[str] = []
    bulk = write(file, b"pickle", b"buffer")
    pieces = split(open_bulk(file, bulk, lambda: let_go.append("now")), bulk.sizes)

    last = pieces.pop()[2:3]
    pieces.clear()
    before = list(let_go)
    del last

    assert (before, let_go) == ([], ["now"])


def test_a_process_that_forked_never_lets_go(file: int) -> None:
    let_go: list[str] = []
    memory = open_bulk(file, write(file, b"value"), lambda: let_go.append("now"))
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)

    del memory

    assert let_go == []


def test_with_many_views_open_the_next_is_a_copy(file: int) -> None:
    let_go: list[str] = []
    bulk = write(file, b"value")
    views = [open_bulk(file, bulk, ignore) for _ in range(VIEWS_MAX)]

    copy = open_bulk(file, bulk, lambda: let_go.append("at once"))

    assert let_go == ["at once"]
    assert bytes(copy) == b"value"
    assert len(views) == VIEWS_MAX
