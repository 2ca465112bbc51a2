"""Fork client: one pool's line to the fork server of this process.

There is one server (launch.py); each pool speaks to it over a channel of its own
(ForkChannel). A process that was itself forked by user code starts a server anew: children
belong to the process that asked for them.
"""

import _socket
import contextlib
import os
import signal
import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from lightwork.pool.child.fork_protocol import BORN, EXITED, FORK, KILL, REFUSED, REPLY, REQUEST
from lightwork.pool.link.launch import Server, launch

_READ_MAX: Final = 64


class Born(NamedTuple):
    """The child with this serial number runs under this pid."""

    serial: int
    pid: int


class Exited(NamedTuple):
    """The child is dead and reaped.

    Attributes:
        exitcode: Negative ones are signals.
        peak: Bytes that it, or a program that it has waited for, has held at most.
    """

    serial: int
    exitcode: int
    peak: int


class Refused(NamedTuple):
    """The system would not fork."""

    serial: int
    errno: int


class ForkChannel:
    """One pool's line to the fork server. Requests may come from any thread."""

    def __init__(self, channel: _socket.socket) -> None:
        self._channel = channel
        self._closed = False

    def fileno(self) -> int:
        """Return the descriptor to poll for replies."""
        return self._channel.fileno()

    def fork(self, serial: int, fds: Sequence[int], *, setup_size: int) -> None:
        """Ask for a child on these descriptors, its channel's and the arena first; Born or Refused follows."""
        request = REQUEST.pack(FORK, serial, setup_size)
        _send(self._channel, request, fds)

    def kill(self, serial: int, number: int = signal.SIGKILL) -> None:
        """Signal the child's group, unless it has ended."""
        try:
            self._channel.send(REQUEST.pack(KILL, serial, number))
        except OSError:
            # The server is gone, and with it every child.
            return

    def read(self) -> list[Born | Exited | Refused] | None:
        """Return what has happened; None when the server is gone."""
        replies: list[Born | Exited | Refused] = []
        while True:
            try:
                # A reply is one packet; the pool's dispatcher must never wait for one.
                data = self._channel.recv(_READ_MAX, _socket.MSG_DONTWAIT)
            except BlockingIOError:
                return replies
            except ConnectionResetError:
                data = b""
            if not data:
                return replies or None
            replies.append(_reply(data))

    def close(self) -> None:
        """Hang up: the server kills what is left of this pool."""
        if not self._closed:
            self._closed = True
            # Closing would not do where user code has forked this process: the
            # other one holds the line too.
            with contextlib.suppress(OSError):
                self._channel.shutdown(_socket.SHUT_RDWR)
            self._channel.close()


def _reply(data: bytes) -> Born | Exited | Refused:
    verb, serial, number, peak = REPLY.unpack(data)
    if verb == BORN:
        return Born(serial, number)
    if verb == EXITED:
        return Exited(serial, os.waitstatus_to_exitcode(number), peak * 1024)
    assert verb == REFUSED
    return Refused(serial, number)


def open_fork_channel() -> ForkChannel:
    """Return a channel to this process's fork server, starting one if need be.

    Raises:
        UsageError: Pools are nested as deep as only a mistake nests them.
        PoolError: It would import other code than this program has.
    """
    server = launch()
    try:
        return _open_channel(server)
    except OSError:
        # Its end of the line is closed: somebody killed it. Start another.
        return _open_channel(launch(dead=server))


def _open_channel(server: Server) -> ForkChannel:
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    try:
        _send(server.control, b"P", [theirs.fileno()])
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return ForkChannel(ours)


def _send(line: _socket.socket, data: bytes, fds: Sequence[int]) -> None:
    # As in `socket`, which takes 5 ms to import.
    packed = struct.pack(f"{len(fds)}i", *fds)
    line.sendmsg([data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, packed)])
