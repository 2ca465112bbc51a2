"""The bytes between a pool and its children."""

from hypothesis import given
from hypothesis import strategies as st

from lightwork.pool.wire.frames import (
    ASYNC_INLINE_MAX,
    INLINE_MAX,
    IS_BULK,
    PACKET_SIZE,
    Frame,
    FrameReader,
    Kind,
    Packet,
    pack_frame,
    pack_inbox_packet,
    pack_packet,
    read_packets,
    unpack_packet,
    with_timeout,
)

U16 = st.integers(0, 2**16 - 1)
U32 = st.integers(0, 2**32 - 1)
U64 = st.integers(0, 2**64 - 1)
FRAMES = st.lists(st.tuples(st.integers(0, 255), U64, st.binary(max_size=100), U32), max_size=8)


@given(kind=st.integers(0, 255), function=U32, seq=U64, body=st.binary(max_size=INLINE_MAX))
def test_a_packet_comes_back_as_it_was(kind: int, function: int, seq: int, body: bytes) -> None:
    packet = pack_packet(kind, function, seq, body)

    assert len(packet) == PACKET_SIZE
    assert unpack_packet(packet) == Packet(kind, function, seq, len(body), body)


@given(offset=st.integers(0, 2**62), size=U64, first=U16, end=U16)
def test_a_packet_says_where_its_body_lies_and_which_items_to_run(
    offset: int, size: int, first: int, end: int
) -> None:
    packet = pack_inbox_packet(Kind.CALL, 1, 2, offset=offset, size=size, first=first, end=end)

    assert len(packet) == PACKET_SIZE
    assert unpack_packet(packet) == Packet(Kind.CALL, 1, 2, size, b"", offset, first=first, end=end)


@given(body=st.binary(max_size=ASYNC_INLINE_MAX), seconds=st.floats(0, 1e9))
def test_a_packet_of_a_coroutine_call_says_how_long_it_may_run(body: bytes, seconds: float) -> None:
    inline = pack_packet(Kind.ASYNC_CALL, 1, 2, body, attempt=3)
    in_inbox = pack_inbox_packet(Kind.ASYNC_CALL, 1, 2, offset=4, size=500, flags=IS_BULK)

    timed = [unpack_packet(with_timeout(packet, seconds)) for packet in (inline, in_inbox)]

    assert timed == [unpack_packet(p)._replace(timeout=seconds) for p in (inline, in_inbox)]
    assert timed[0].body == body


def test_packets_are_listed_without_their_bodies() -> None:
    packets = pack_packet(Kind.FUNCTION, 7, 0, b"f") + pack_packet(Kind.CALL, 7, 9, b"c")

    assert list(read_packets(packets)) == [(Kind.FUNCTION, 7, 0), (Kind.CALL, 7, 9)]


@given(frames=FRAMES, data=st.data())
def test_frames_come_back_however_the_stream_is_cut(
    frames: list[tuple[int, int, bytes, int]], data: st.DataObject
) -> None:
    stream = b"".join(pack_frame(*frame) for frame in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    reader = FrameReader()

    seen = [
        frame
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for frame in reader.feed(stream[start:end])
    ]

    assert seen == [Frame(kind, seq, micros, body) for kind, seq, body, micros in frames]


def test_a_duration_beyond_the_field_is_capped() -> None:
    [frame] = FrameReader().feed(pack_frame(Kind.VALUE, 1, b"", 2**40))

    assert frame.micros == 2**32 - 1
