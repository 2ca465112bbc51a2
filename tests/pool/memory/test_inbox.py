"""Memory for bodies: nothing that is still needed is overwritten."""

import os
import resource
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwork.pool.memory.inbox import RING_BODY_MAX, RING_SIZE, Inbox, InboxReader, make_inbox


@contextmanager
def open_inbox() -> Iterator[tuple[Inbox, InboxReader]]:
    fd = make_inbox()
    inbox = Inbox(fd)
    # A reader lives as long as its child, and closes nothing.
    theirs = os.dup(fd)
    try:
        yield inbox, InboxReader(theirs)
    finally:
        inbox.close()
        os.close(theirs)


SIZES = st.one_of(
    st.integers(1, 300), st.integers(1, RING_BODY_MAX), st.integers(1, 3 * RING_BODY_MAX)
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), SIZES),
        st.tuples(st.just("answer"), st.just(0)),
        st.tuples(st.just("recall"), st.integers(1, 5)),
    ),
    max_size=60,
)


@given(STEPS)
@settings(max_examples=200, deadline=None)
def test_every_body_that_is_needed_can_be_read(steps: list[tuple[str, int]]) -> None:
    held: deque[tuple[int, int, int, bytes]] = deque()
    with open_inbox() as (inbox, reader):
        for number, (step, size) in enumerate(steps):
            if step == "put":
                body = bytes([number]) * size
                start = inbox.head
                held.append((start, inbox.put(body), inbox.head, body))
                start = inbox.head
            elif step == "answer" and held:
                _, offset, end, _ = held.popleft()
                inbox.free(offset)
                inbox.advance(end)
            elif step == "recall":
                for start, offset, _, _ in [held.pop() for _ in range(min(size, len(held)))]:
                    inbox.free(offset)
                    inbox.rewind(start)
            if not held:
                inbox.restart()

            for _, offset, _, body in held:
                assert reader.read(offset, len(body)) == body


def test_a_stream_of_small_bodies_stays_within_the_ring() -> None:
    with open_inbox() as (inbox, _):
        offsets = set()
        for _ in range(1000):
            offsets.add(inbox.put(b"x" * 5000))
            inbox.advance(inbox.head)

    assert max(offsets) < RING_SIZE


def test_a_full_ring_does_not_refuse_a_body() -> None:
    with open_inbox() as (inbox, reader):
        offsets = [inbox.put(bytes([n]) * RING_BODY_MAX) for n in range(20)]

        assert [reader.read(offset, 1)[0] for offset in offsets] == list(range(20))
        assert max(offsets) >= RING_SIZE


def test_memory_grows_by_what_is_needed() -> None:
    with open_inbox() as (inbox, reader):
        offset = inbox.put(b"y" * (8 << 20))

        assert bytes(reader.read(offset, 8 << 20)[-1:]) == b"y"


def test_a_body_for_which_there_is_no_memory_takes_none() -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with open_inbox() as (inbox, _):
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
        try:
            with pytest.raises(OSError, match="too large"):
                inbox.put(b"z" * (2 << 20))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

        assert inbox.put(b"z" * (2 << 20)) == RING_SIZE
