"""Protocol: what client and broker say to each other, and how it looks on a socket.

A frame is its length (four bytes, little-endian) and an array in msgpack; the first element says what
it is. Arrays become tuples again (`plain`), so what arrives equals what was sent.

    client                                                        broker
    (HELLO, session)                                              (0, ANSWERED, line)
    (ASK, number, thread, kind, name, spec, verb, args)           (number, ANSWERED | REFUSED | ..., value)
    (WITHDRAW, number)                                            (number, WITHDRAWN, None), unless answered already
    (SETTLE, number, line, question)   what became of it?           (number, what became of it, value)
    (GOT,)                    the last answer is here             none
    (ALLOT, number, kind, name, spec)                             (number, ANSWERED, (offset, length))
    (FREE, number, ((kind, name), ...))   regions                 (number, ANSWERED, None)
    (KEEP, ((kind, name), ...))    of unnamed ones                none
    (DROP, ((kind, name), ...))    the same                       none
    (LIST, number, (kind, name))   what comes after these         (number, ANSWERED, rows): see listing.py
    (RING, number, kind, name, spec)   of a queue                 (number, ANSWERED, ring), with descriptors: see rings.py
    (BYE,)                    the session ends                    none: the line is closed
"""

import struct
from typing import Any, Final

import msgspec

from lightwork.machines.shapes import Plain

# In the names of all files in the runtime folder: programs of different versions do not meet.
VERSION: Final = 1
SOCKET: Final = f"broker-{VERSION}.socket"
LOCK: Final = f"broker-{VERSION}.lock"
LOG: Final = f"broker-{VERSION}.log"
JOURNAL: Final = f"regions-{VERSION}"

HELLO: Final = 0
ASK: Final = 1
WITHDRAW: Final = 2
SETTLE: Final = 3
GOT: Final = 4
ALLOT: Final = 5
FREE: Final = 6
KEEP: Final = 7
DROP: Final = 8
BYE: Final = 9
LIST: Final = 10
RING: Final = 11

ANSWERED: Final = 0
REFUSED: Final = 1
WITHDRAWN: Final = 2
# Made with another `spec`.
DIFFERS: Final = 3
# The machine does not know the question: a text says what.
FAILED: Final = 4
NO_ROOM: Final = 5

HEAD: Final = 4
# Peers are the user's own processes: a bound on mistakes, below what four bytes can say.
MAX_FRAME: Final = 1 << 30
# From here on an answer is too large to be kept for whoever does not ask again.
LARGE: Final = 64 << 10

_head: Final = struct.Struct("<I")
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(tuple).decode
# What a queue answers: made of tuples at once, it takes a fifth of the time.
_decode_items: Final = msgspec.msgpack.Decoder(
    tuple[int, int, tuple[tuple[int, bytes], ...]]
).decode
_MANY: Final = 1 << 10


class SilentError(Exception):
    """The broker has not read, or not answered, in the time that it was given: it is stopped, or hangs."""


class FrameError(ValueError):
    """What the other side sent is no frame of this protocol."""


def frame(parts: tuple[Any, ...]) -> bytes:
    """Return the bytes of a message.

    Raises:
        ValueError: It is larger than MAX_FRAME, or has an integer of more than 64 bits.
    """
    try:
        body = _encode(parts)
    except OverflowError as error:
        raise ValueError(f"expected integers of at most 64 bits: {error}") from None
    if len(body) > MAX_FRAME:
        raise ValueError(f"expected at most {MAX_FRAME} bytes at once, seen {len(body)}")
    return _head.pack(len(body)) + body


def length_of(head: bytes | bytearray) -> int:
    """Return how many bytes follow a head of HEAD bytes.

    Raises:
        FrameError: More than may be.
    """
    (length,) = _head.unpack_from(head)
    if length > MAX_FRAME:
        raise FrameError(f"a frame of {length} bytes")
    return int(length)


def parts_of(body: bytes | bytearray | memoryview) -> tuple[Any, ...]:
    """Return the message in the bytes that follow a head.

    Raises:
        FrameError: It is none.
    """
    try:
        return _decode(body)
    except msgspec.DecodeError as error:
        raise FrameError(str(error)) from None


def answer_of(body: bytes | bytearray | memoryview) -> tuple[int, int, Plain]:
    """Return the answer in the bytes that follow a head.

    Raises:
        FrameError: There is none.
    """
    if len(body) > _MANY:
        try:
            return _decode_items(body)
        except msgspec.DecodeError:
            pass  # Something else that is as long.
    number, outcome, value = parts_of(body)
    return number, outcome, plain(value)


def plain(value: Any) -> Plain:
    """Return a decoded value with tuples in the place of lists."""
    if value.__class__ is list:
        return tuple([plain(part) if part.__class__ is list else part for part in value])
    result: Plain = value
    return result
