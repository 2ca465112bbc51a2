"""Sessions: which processes there are, and how the broker hears that one has died.

The kernel gives a handle of a process (pidfd) that says when all of it has ended. Sockets say less: a
child that was forked keeps those of its parent open. Where there are no such handles (before
Linux 5.3), a session ends with the last of its connections.
"""

import os
import socket
import struct
from dataclasses import dataclass, field
from typing import Final

from lightwork.sync.broker.connection import Connection

_CREDENTIALS: Final = struct.Struct("3i")
# Not in `socket` before 3.14. A handle of the very process that connected (Linux 6.5): its number
# alone may have become another's.
_SO_PEERPIDFD: Final = 77


@dataclass(slots=True, eq=False)
class Session:
    """A process that asks.

    Attributes:
        name: 16 random bytes, its own choice.
        pid: Of the process; nobody else may join.
        handle: Readable when it has ended; -1: there are none here.
        connections: Its lines.
    """

    name: bytes
    pid: int
    handle: int
    connections: set[Connection] = field(default_factory=set)

    def close(self) -> None:
        """Close what it has open."""
        for connection in self.connections:
            connection.close()
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1


def peer_of(line: socket.socket) -> tuple[int, int]:
    """Return pid and uid of whoever connected, as the kernel has noted them."""
    pid, uid, _ = _CREDENTIALS.unpack(
        line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    return pid, uid


def handle_of(line: socket.socket, pid: int) -> int:
    """Return a descriptor that is readable when the process behind a line has ended; -1: none."""
    try:
        return line.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    except OSError:
        pass
    try:
        return os.pidfd_open(pid)
    except (OSError, AttributeError):
        return -1
