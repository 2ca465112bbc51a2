"""OFD: byte-range locks of an open file description (Linux 3.15), one byte each.

They belong to the description, not to the process: closing another descriptor of the file, which ends
the older kind, does nothing to them.
"""

import errno
import fcntl
import struct
import sys
from typing import Final

# struct flock of 64-bit Linux, and the numbers of its calls.
_flock: Final = struct.Struct("hhqqi4x")
_GET: Final = getattr(fcntl, "F_OFD_GETLK", 36)
SET: Final = getattr(fcntl, "F_OFD_SETLK", 37)
_SET_WAIT: Final = getattr(fcntl, "F_OFD_SETLKW", 38)
_TAKEN: Final = (errno.EAGAIN, errno.EACCES)


def is_available() -> bool:
    """Whether this system has such locks, as they are written here."""
    return sys.platform == "linux" and sys.maxsize > 1 << 32 and hasattr(fcntl, "F_OFD_SETLK")


def request(byte: int, kind: int = fcntl.F_WRLCK) -> bytes:
    """Return what is asked of the kernel about a byte: made once for each lock, for it is always the same."""
    return _flock.pack(kind, 0, byte, 1, 0)


def try_lock(descriptor: int, wanted: bytes) -> bool:
    """Lock as `request` says, if it can be at once; return whether it was."""
    try:
        fcntl.fcntl(descriptor, SET, wanted)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


def lock(descriptor: int, wanted: bytes) -> None:
    """Lock as `request` says, and wait for it; a signal's function is run meanwhile, and may raise."""
    fcntl.fcntl(descriptor, _SET_WAIT, wanted)


def unlock(descriptor: int, wanted: bytes) -> None:
    """Unlock as `request` with F_UNLCK says; what is not locked is left alone."""
    fcntl.fcntl(descriptor, SET, wanted)


def is_locked(descriptor: int, start: int, *, length: int = 1) -> bool:
    """Whether another description has a lock among these bytes; `length` 0: to the end."""
    seen = fcntl.fcntl(descriptor, _GET, _flock.pack(fcntl.F_WRLCK, 0, start, length, 0))
    return bool(_flock.unpack(seen)[0] != fcntl.F_UNLCK)
