"""Fork server: a small single-threaded process that forks the children.

Started before the program has threads, where possible, and importing almost
nothing, it makes a child in 2 ms without the two classic faults: a fork of a
threaded program copies locks that nobody will ever release, and a fresh
interpreter costs 80 ms.

    program ──control──▶ fork server        one descriptor a pool: its channel
    pool    ──channel──▶ fork server        FORK (6 descriptors), KILL
            ◀──channel──                    BORN pid, EXITED status

It is the parent of all children, so it alone reaps them, and it does all the
killing: a signal is only sent to a pid that has not been reaped, so it can
never hit a stranger that got the number anew.

Nobody is left behind. Every child is the leader of a process group of its own. When a pool
closes its channel, its children are killed with their groups. When the program
dies (its pid descriptor becomes readable, even by SIGKILL) the server kills all
groups and ends. When the server itself is killed, the kernel kills the children:
each has armed PR_SET_PDEATHSIG, which names the *thread* that forked and is
therefore only safe here, where there is one.
A child that ends abnormally takes what is left of its group with it.
"""

import contextlib
import ctypes
import errno
import gc
import os
import select
import signal
import socket
import struct
import sys
from collections import deque
from typing import Final, Never

from lightwork.pool import inherited, nesting
from lightwork.pool.child import ENDS, child_main

REQUEST: Final = struct.Struct("<cIQ")
REPLY: Final = struct.Struct("<cIi")
FORK: Final = b"F"
KILL: Final = b"K"
BORN: Final = b"B"
EXITED: Final = b"X"
# The fork failed (EAGAIN, ENOMEM): the third field is the errno.
REFUSED: Final = b"R"

_PR_SET_PDEATHSIG: Final = 1
# The kernel's own limit for one message.
_FDS_MAX: Final = 253


class _Pool:
    """One pool as the server sees it."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        # Replies for which the channel had no room: the server waits for no pool,
        # since that pool might be waiting for the server.
        self.unsent: deque[bytes] = deque()
        # Serial number that the pool gave, to pid; only children not yet reaped.
        self.children: dict[int, int] = {}


class ForkServer:
    """Everything the server knows."""

    def __init__(self, control: socket.socket, program: int) -> None:
        self._control = control
        self._program = os.pidfd_open(program)
        self._pools: dict[int, _Pool] = {}
        self._poll = select.poll()
        self._libc = ctypes.CDLL(None)
        # The handler does nothing: the wake-up descriptor ends the poll.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._wake, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self._inner = [control.fileno(), self._program, self._wake, wake_write]

    def run(self) -> None:
        """Serve until the program is gone; leave no child behind."""
        for fd in (self._control.fileno(), self._program, self._wake):
            self._poll.register(fd, select.POLLIN)
        try:
            while self._serve([fd for fd, _ in self._poll.poll()]):
                pass
        finally:
            for pool in list(self._pools.values()):
                self._drop(pool)

    def _serve(self, ready: list[int]) -> bool:
        if self._program in ready:
            return False
        if self._wake in ready:
            os.read(self._wake, 4096)
            self._reap()
        if self._control.fileno() in ready and not self._accept():
            return False
        for fd in ready:
            if fd in self._pools:
                self._serve_pool(self._pools[fd])
        return True

    def _accept(self) -> bool:
        data, fds, _, _ = socket.recv_fds(self._control, 64, _FDS_MAX)
        for fd in fds:
            os.set_inheritable(fd, False)
            channel = socket.socket(fileno=fd)
            channel.setblocking(False)
            self._pools[fd] = _Pool(channel)
            self._poll.register(fd, select.POLLIN)
        return bool(data)

    def _serve_pool(self, pool: _Pool) -> None:
        if pool.unsent:
            self._send_replies(pool)
        try:
            data, fds, flags, _ = socket.recv_fds(pool.channel, REQUEST.size, _FDS_MAX)
        except BlockingIOError:
            return  # It was ready for replies.
        except ConnectionResetError:
            data, fds, flags = b"", [], 0
        if not data:
            self._drop(pool)
            return
        if flags & socket.MSG_CTRUNC:
            # Not all arrived: this process has no descriptor left.
            fds = _close_all(fds)
        verb, serial, number = REQUEST.unpack(data)
        if verb == FORK:
            self._fork(pool, serial, fds, setup_size=number)
        elif verb == KILL and serial in pool.children:
            _kill_group(pool.children[serial], number)

    def _fork(self, pool: _Pool, serial: int, fds: list[int], *, setup_size: int) -> None:
        try:
            if not fds:
                raise OSError(errno.EMFILE, "the fork server has no descriptor left")
            pid = os.fork()
        except OSError as error:
            self._reply(pool, REFUSED, serial, error.errno or 0)
        else:
            if pid == 0:
                self._be_child(fds, setup_size)
            with contextlib.suppress(OSError):
                # Both sides set it, so that it is set whoever runs first.
                os.setpgid(pid, pid)
            pool.children[serial] = pid
            self._reply(pool, BORN, serial, pid)
        finally:
            _close_all(fds)

    def _be_child(self, fds: list[int], setup_size: int) -> Never:
        status = 1
        try:
            os.setpgid(0, 0)
            server = os.getppid()
            self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != server:
                os._exit(1)  # The server died before the kernel knew of us.
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for fd in (*self._inner, *self._pools):
                os.close(fd)
            gc.enable()
            for fd in fds:
                os.set_inheritable(fd, False)
            inherited.received[:] = fds[ENDS:]
            status = child_main(fds[:ENDS], setup_size)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)

    def _reap(self) -> None:
        # Look first, reap last: until then neither pid nor group can be reused.
        while info := self._look():
            pid = info.si_pid
            if info.si_code != os.CLD_EXITED or info.si_status != 0:
                _kill_group(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            self._tell(pid, status)

    def _look(self) -> os.waitid_result | None:
        with contextlib.suppress(ChildProcessError):
            return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return None

    def _tell(self, pid: int, status: int) -> None:
        for pool in self._pools.values():
            for serial, known in pool.children.items():
                if known == pid:
                    del pool.children[serial]
                    self._reply(pool, EXITED, serial, status)
                    return

    def _reply(self, pool: _Pool, verb: bytes, serial: int, number: int) -> None:
        pool.unsent.append(REPLY.pack(verb, serial, number))
        self._send_replies(pool)

    def _send_replies(self, pool: _Pool) -> None:
        events = select.POLLIN
        try:
            while pool.unsent:
                pool.channel.send(pool.unsent[0])
                pool.unsent.popleft()
        except BlockingIOError:
            events |= select.POLLOUT
        except (BrokenPipeError, ConnectionResetError):
            # The pool has gone meanwhile: its channel ends soon.
            pool.unsent.clear()
        self._poll.modify(pool.channel.fileno(), events)

    def _drop(self, pool: _Pool) -> None:
        fd = pool.channel.fileno()
        self._poll.unregister(fd)
        del self._pools[fd]
        pool.channel.close()
        self._kill_all(pool)

    def _kill_all(self, pool: _Pool) -> None:
        for pid in pool.children.values():
            _kill_group(pid, signal.SIGKILL)


def _close_all(fds: list[int]) -> list[int]:
    for fd in fds:
        os.close(fd)
    return []


def _kill_group(pid: int, number: int) -> None:
    # EPERM: it has become another user's.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def fork_server_main(control: int, program: int, level: int) -> None:
    """Run the fork server of the program with this pid, whose children are so deep in pools."""
    nesting.level[0] = level
    # The terminal's Ctrl-C is for the program, which then ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What exists now lives for ever and is shared with every child.
    gc.disable()
    gc.freeze()
    os.set_inheritable(control, False)
    # The program may be dead before we have begun: then there is nobody to serve.
    with contextlib.suppress(ProcessLookupError), socket.socket(fileno=control) as line:
        ForkServer(line, program).run()
