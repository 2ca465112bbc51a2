"""Frames: the bytes that travel between a pool and its children. Pure.

Two one-way paths join the pool to each child.

*Packets* go down a pipe and are all PACKET_SIZE bytes long. Both sides read and
write only whole multiples of that, and a page is one too, so the kernel never
cuts a packet: it is read whole, by exactly one reader. That is how a call is
handed over without a lock: the child owns a call from the moment its read
returns, and the pool takes unstarted calls back by reading the same pipe. Many
packets are put there by one system call. A body that does not fit in lies in
the inbox (memory/inbox.py) and the packet says where.

*Frames* come up as a stream through the outbox (memory/control_block.py) and a plain pipe.

Both start with the same 24 bytes: kind, flags, function id, call number, size.
Sizes are 64-bit: a 2 GiB argument must not end a pool.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NamedTuple

# A divisor of the page size, see above. 40 bytes hold the arguments of small
# calls, such as four integers.
PACKET_SIZE: Final = 64
HEADER: Final = struct.Struct("<BBHIQQ")
# Offset in the inbox; then, for a bundle (map/bundle.py), from which item to which.
PLACE: Final = struct.Struct("<QHH")
# At the end of a packet of a coroutine call: how many seconds it may run; 0.0: no limit.
TIMEOUT: Final = struct.Struct("<d")
# In a BEGUN frame: when, in monotonic nanoseconds.
INSTANT: Final = struct.Struct("<Q")
INLINE_MAX: Final = PACKET_SIZE - HEADER.size
ASYNC_INLINE_MAX: Final = INLINE_MAX - TIMEOUT.size
_TIMEOUT_AT: Final = PACKET_SIZE - TIMEOUT.size
_PACKET: Final = struct.Struct(f"{HEADER.format}{INLINE_MAX}s")

# What the header has room for; later attempts go by this number.
ATTEMPT_MAX: Final = 0xFFFF

IN_INBOX: Final = 1
# The body says where the value lies in shared memory (memory/large_value.py).
IS_BULK: Final = 2


class Kind(IntEnum):
    """What a packet or frame is."""

    # Pool to child.
    CALL = 1
    FUNCTION = 2
    STOP = 3
    # As CALL, of a coroutine function.
    ASYNC_CALL = 4
    # Let a coroutine call see that it is cancelled; cancel it.
    ASK = 5
    CANCEL = 6
    # Child to pool.
    READY = 10
    VALUE = 11
    ERROR = 12
    PROGRESS = 13
    INIT_FAILED = 14
    # The child has let go of the large arguments of a call.
    LET_GO = 15
    # A coroutine call has begun (the body says when); it has ended as cancelled.
    BEGUN = 16
    CANCELLED = 17
    # The child is to be replaced when it has answered the calls that it holds.
    UNFIT = 18
    LOG = 20


_ASYNC_CALL: Final = int(Kind.ASYNC_CALL)


class Packet(NamedTuple):
    """One packet as the child reads it.

    `offset` is that of a body in the inbox, else -1. Of a bundle the items from
    `first` to `end` are to be run; else both are 0.
    """

    kind: int
    function: int
    seq: int
    size: int
    body: bytes
    offset: int = -1
    is_bulk: bool = False
    # Of a call with retries, from 1; else 0.
    attempt: int = 0
    first: int = 0
    end: int = 0
    # Of a coroutine call, in seconds; 0.0: no limit.
    timeout: float = 0.0


class Frame(NamedTuple):
    """One frame as the pool reads it.

    `micros` is how long the call ran; `done` how many items of a bundle were run.
    """

    kind: int
    seq: int
    micros: int
    body: bytes
    is_bulk: bool = False
    done: int = 0


class Setup(NamedTuple):
    """What a child learns before its first call; travels pickled through the inbox.

    No dataclass: importing those costs a fifth of the fork server's start.
    """

    name: str
    # What `ps` shows.
    title: bytes
    env: dict[str, str]
    path: list[str]
    argv: list[str]
    # Its pid; the child's own parent is the fork server.
    program: int
    folder: str
    # Pickled, or empty.
    hooks: bytes
    # Levels from which records go to the pool, by logger; empty: none do.
    log_levels: dict[str, int]
    # Of Output: comes before a function's name in what the child writes; empty: not redirected.
    output_mark: bytes
    # The program's key of multiprocessing, or empty: proxies of its managers need it.
    authkey: bytes


def pack_packet(
    kind: int, function: int, seq: int, body: bytes, *, flags: int = 0, attempt: int = 0
) -> bytes:
    """Return a packet with its body inside; the body must fit (INLINE_MAX, ASYNC_INLINE_MAX)."""
    return _PACKET.pack(kind, flags, attempt, function, seq, len(body), body)


def pack_inbox_packet(
    kind: int,
    function: int,
    seq: int,
    *,
    offset: int,
    size: int,
    flags: int = 0,
    first: int = 0,
    end: int = 0,
    attempt: int = 0,
) -> bytes:
    """Return a packet whose body lies in the inbox."""
    place = PLACE.pack(offset, first, end)
    return _PACKET.pack(kind, flags | IN_INBOX, attempt, function, seq, size, place)


def with_timeout(packet: bytes, seconds: float) -> bytes:
    """Return the packet of a coroutine call with its time-out."""
    return packet[:_TIMEOUT_AT] + TIMEOUT.pack(seconds)


def unpack_packet(packet: bytes) -> Packet:
    """Take a packet apart."""
    kind, flags, attempt, function, seq, size, body = _PACKET.unpack(packet)
    timeout = TIMEOUT.unpack_from(packet, _TIMEOUT_AT)[0] if kind == _ASYNC_CALL else 0.0
    is_bulk = flags & IS_BULK != 0
    if flags & IN_INBOX:
        offset, first, end = PLACE.unpack_from(body)
        return Packet(kind, function, seq, size, b"", offset, is_bulk, attempt, first, end, timeout)
    return Packet(kind, function, seq, size, body[:size], -1, is_bulk, attempt, 0, 0, timeout)


def read_packets(packets: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield kind, function and call number of each packet, as far as there are whole ones."""
    whole = len(packets) - len(packets) % PACKET_SIZE
    for kind, _, _, function, seq, _, _ in _PACKET.iter_unpack(packets[:whole]):
        yield kind, function, seq


def pack_frame(
    kind: int, seq: int, body: bytes, micros: int = 0, *, flags: int = 0, done: int = 0
) -> bytes:
    """Return a frame; a duration beyond 71 minutes is capped, it only guides scheduling."""
    return HEADER.pack(kind, flags, done, min(micros, 0xFFFFFFFF), seq, len(body)) + body


class FrameReader:
    """Cuts a stream of bytes into frames, however the bytes arrive."""

    def __init__(self) -> None:
        # The beginning of a frame, in pieces: a long one arrives in thousands.
        self._rest: list[bytes] = []
        self._size = 0
        self._needed = HEADER.size

    def feed(self, data: bytes) -> list[Frame]:
        """Return every frame that is complete with these bytes."""
        if self._rest:
            self._rest.append(data)
            if self._size + len(data) < self._needed:
                self._size += len(data)
                return []
            data = b"".join(self._rest)
            self._rest = []
        return self._cut(data)

    def _cut(self, data: bytes) -> list[Frame]:
        frames: list[Frame] = []
        start, end = 0, len(data)
        self._needed = HEADER.size
        while end - start >= HEADER.size:
            kind, flags, done, micros, seq, size = HEADER.unpack_from(data, start)
            body = start + HEADER.size
            if end - body < size:
                self._needed = HEADER.size + size
                break
            start = body + size
            frames.append(Frame(kind, seq, micros, data[body:start], flags & IS_BULK != 0, done))
        if start < end:
            self._rest, self._size = [data[start:]], end - start
        return frames
