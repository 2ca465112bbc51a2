"""Layout: what stands where in the arena, for the broker, which gives it out, and those who use it."""

import struct
from typing import Final

# A number in the name: programs of different versions do not meet.
ARENA: Final = "arena-1"
PAGE: Final = 4096
RECORD: Final = 64
# Of the first page: which broker is the last, as it says before it answers anybody.
EPOCH: Final = 0
# Above all regions: bytes that are only locked, and never there.
REFERENCES: Final = 1 << 56

# Token; pid, start time (clock ticks since boot) and thread of who has it, 0: nobody has.
record: Final = struct.Struct("<QQQQ")
holder: Final = struct.Struct("<QQQ")
HOLDER: Final = 8
NOBODY: Final = bytes(holder.size)


def new_record(token: int) -> bytes:
    """Return the record of a lock that nobody has; the next who gets it has `token` + 1."""
    return record.pack(token, 0, 0, 0).ljust(RECORD, b"\0")


def reference_of(session: bytes) -> int:
    """Return the byte that a session locks for as long as it, or a child forked from it, uses the arena."""
    return REFERENCES + int.from_bytes(session[:5], "little")
