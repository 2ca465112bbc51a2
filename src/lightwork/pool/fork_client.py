"""Fork client: the program's side of the fork server.

Owns the one server of this process and starts it when the first pool is made;
each pool then speaks to it over a channel of its own (ForkChannel). A process
that was itself forked by user code starts a server anew: children belong to the
process that asked for them.
"""

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lightwork.errors import UsageError
from lightwork.pool.fork_server import BORN, EXITED, FORK, KILL, REFUSED, REPLY, REQUEST
from lightwork.pool.nesting import DEEPEST, level

# The path comes first: the server must find this package as its program did.
_PROGRAM: Final = (
    "import sys; sys.path[:] = {path!r}; "
    "from lightwork.pool.fork_server import fork_server_main; "
    "fork_server_main({control}, {pid}, {level})"
)
_READ_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Born:
    """The child with this serial number runs under this pid."""

    serial: int
    pid: int


@dataclass(frozen=True, slots=True)
class Exited:
    """The child is dead and reaped; negative exit codes are signals."""

    serial: int
    exitcode: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The system would not fork."""

    serial: int
    errno: int


class ForkChannel:
    """One pool's line to the fork server. Requests may come from any thread."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._closed = False

    def fileno(self) -> int:
        """Return the descriptor to poll for replies."""
        return self._channel.fileno()

    def fork(self, serial: int, fds: Sequence[int], *, setup_size: int) -> None:
        """Ask for a child on these descriptors, its four ends first; Born or Refused follows."""
        request = REQUEST.pack(FORK, serial, setup_size)
        socket.send_fds(self._channel, [request], list(fds))

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
                data = self._channel.recv(_READ_MAX, socket.MSG_DONTWAIT)
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
                self._channel.shutdown(socket.SHUT_RDWR)
            self._channel.close()


def _reply(data: bytes) -> Born | Exited | Refused:
    verb, serial, number = REPLY.unpack(data)
    if verb == BORN:
        return Born(serial, number)
    if verb == EXITED:
        return Exited(serial, os.waitstatus_to_exitcode(number))
    assert verb == REFUSED
    return Refused(serial, number)


class _Server:
    """The running server of this process."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        program = _PROGRAM.format(
            path=sys.path, control=theirs.fileno(), pid=os.getpid(), level=level[0] + 1
        )
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, *flags, "-c", program],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                # Out of the terminal's foreground group: Ctrl-C is for the program.
                process_group=0,
            )
        # Popen would warn, when collected, about a process that is meant to run on.
        self._process.returncode = 0

    def close(self) -> None:
        """Hang up, which ends the server."""
        self._control.close()

    def bury(self) -> None:
        """Reap the server, which somebody has killed."""
        self._control.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._process.pid, 0)

    def open_channel(self) -> ForkChannel:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                socket.send_fds(self._control, [b"P"], [theirs.fileno()])
        except OSError:
            ours.close()
            raise
        return ForkChannel(ours)


_lock = threading.Lock()
# Guarded by _lock. Process-wide because a fork server is: one per program.
_server: _Server | None = None


def open_fork_channel() -> ForkChannel:
    """Return a channel to this process's fork server, starting one if need be.

    Raises:
        UsageError: Pools are nested as deep as only a mistake nests them.
    """
    global _server  # noqa: PLW0603 - one per process, see above
    if level[0] >= DEEPEST:
        raise UsageError(
            f"a process pool inside of a process pool, {DEEPEST} deep: most likely a module makes "
            "one while it is imported, which every child does in turn. Make it in a function, "
            'or below `if __name__ == "__main__":`'
        )
    with _lock:
        if _server is not None:
            try:
                return _server.open_channel()
            except OSError:
                # Its end of the line is closed: somebody killed it. Start another.
                _server.bury()
                _server = None
        _server = _Server()
        return _server.open_channel()


def _close_server() -> None:
    if _server is not None:
        _server.close()


def _forget_server() -> None:
    global _lock, _server  # noqa: PLW0603 - after a fork nothing here is ours
    _lock = threading.Lock()
    _server = None


os.register_at_fork(after_in_child=_forget_server)
if not level[0]:
    # It would end with us anyway; this only keeps the interpreter from warning, which a
    # child never lives to do.
    atexit.register(_close_server)
