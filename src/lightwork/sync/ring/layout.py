"""Layout: what stands where in a ring, for the broker, which makes it, and those who use it."""

import os
import platform
import struct
from typing import Final, Protocol

from lightwork.sync.arena import ofd

HEADER: Final = 4096
# Pages are had when they are written to, and given back: 16 GiB are more than a machine keeps waiting.
SIZE: Final = 1 << 34
# What lies behind the head is given back in pieces of this size.
STRIDE: Final = 1 << 20

# Numbers of words; those that different sides write are in lines of the cache of their own.
MODE: Final = 0
FLAGS: Final = 1
PUT_SEQ: Final = 8
PUT_SLOTS: Final = 9
PUT_WORDS: Final = 2
GET_SEQ: Final = 16
GET_SLOTS: Final = 17
GET_WORDS: Final = 4
FREEING: Final = 32
FREED: Final = 33
ITEMS_WANTED: Final = 40
ROOM_WANTED: Final = 48
END_WANTED: Final = 49

# Of MODE: the queue lives in the broker's machine. Of FLAGS, bits: nothing more is put; what is in it is void.
MOVED: Final = 1
SHUT: Final = 1
EMPTIED: Final = 2

# A record: how many items, where each of them ends; these are padded to whole words.
one: Final = struct.Struct("<II")
number: Final = struct.Struct("<I")
# No more at once: of the protocol's frames, too.
MOST: Final = 1 << 30


class Words(Protocol):
    """The header, eight bytes each: a map, or in tests a list."""

    def __getitem__(self, at: int, /) -> int: ...
    def __setitem__(self, at: int, value: int, /) -> None: ...


def is_available() -> bool:
    """Whether queues may have rings on this system."""
    return (
        ofd.is_available()
        and platform.machine() == "x86_64"
        and hasattr(os, "memfd_create")
        and hasattr(os, "eventfd")
    )
