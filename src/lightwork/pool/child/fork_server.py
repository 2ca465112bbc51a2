"""Fork server: a small single-threaded process that forks the children.

Started before the program has threads, where possible, and importing almost
nothing, it makes a child in 2 ms without the two classic faults: a fork of a
threaded program copies locks that nobody will ever release, and a fresh
interpreter costs 80 ms.

    program ──control──▶ fork server        one descriptor a pool: its channel
    pool    ──channel──▶ fork server        FORK (6 descriptors), KILL
            ◀──channel──                    BORN pid, EXITED status and peak memory

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

import _socket
import contextlib
import ctypes
import errno
import gc
import os
import select
import signal
import struct
import sys
from collections import deque
from typing import Final, Never

from lightwork.pool.child.code_on_disk import begun_with
from lightwork.pool.child.exchange import ENDS
from lightwork.pool.child.fork_protocol import (
    BORN,
    EXITED,
    FORK,
    KILL,
    REFUSED,
    REPLY,
    REQUEST,
    level,
)
from lightwork.pool.child.main import child_main
from lightwork.pool.wire import spawn_fds

_PR_SET_PDEATHSIG: Final = 1
# The kernel's own limit for one message.
_FDS_MAX: Final = 253
_INT: Final = struct.Struct("i")


class _Pool:
    """One pool as the server sees it."""

    def __init__(self, channel: _socket.socket) -> None:
        self.channel = channel
        # Replies for which the channel had no room: the server waits for no pool,
        # since that pool might be waiting for the server.
        self.unsent: deque[bytes] = deque()
        # Serial number that the pool gave, to pid; only children not yet reaped.
        self.children: dict[int, int] = {}


class ForkServer:
    """Everything the server knows."""

    def __init__(self, control: _socket.socket, program: int) -> None:
        self._control = control
        self._program = os.pidfd_open(program)
        self._pools: dict[int, _Pool] = {}
        self._poll = select.poll()
        self._libc = ctypes.CDLL(None)
        # The handler does nothing: the wake-up descriptor ends the poll.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # A program that reads its signals from a descriptor has it blocked, and so had we.
        self._blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
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
        data, fds, _ = _receive(self._control, 64)
        for fd in fds:
            os.set_inheritable(fd, False)
            channel = _socket.socket(fileno=fd)
            channel.setblocking(False)
            self._pools[fd] = _Pool(channel)
            self._poll.register(fd, select.POLLIN)
        return bool(data)

    def _serve_pool(self, pool: _Pool) -> None:
        if pool.unsent:
            self._send_replies(pool)
        try:
            data, fds, flags = _receive(pool.channel, REQUEST.size)
        except BlockingIOError:
            return  # It was ready for replies.
        except ConnectionResetError:
            data, fds, flags = b"", [], 0
        if not data:
            self._drop(pool)
            return
        if flags & _socket.MSG_CTRUNC:
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
            signal.pthread_sigmask(signal.SIG_SETMASK, self._blocked)
            for fd in (*self._inner, *self._pools):
                os.close(fd)
            gc.enable()
            for fd in fds:
                os.set_inheritable(fd, False)
            spawn_fds.received[:] = fds[ENDS:]
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
            _, status, usage = os.wait4(pid, 0)
            self._tell(pid, status, usage.ru_maxrss)

    def _look(self) -> os.waitid_result | None:
        with contextlib.suppress(ChildProcessError):
            return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return None

    def _tell(self, pid: int, status: int, peak: int) -> None:
        for pool in self._pools.values():
            for serial, known in pool.children.items():
                if known == pid:
                    del pool.children[serial]
                    self._reply(pool, EXITED, serial, status, peak)
                    return

    def _reply(self, pool: _Pool, verb: bytes, serial: int, number: int, peak: int = 0) -> None:
        pool.unsent.append(REPLY.pack(verb, serial, number, peak))
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


def _receive(line: _socket.socket, size: int) -> tuple[bytes, list[int], int]:
    """Return what was sent, the descriptors that came with it, and flags."""
    # As in `socket`, which takes 5 ms to import: a third of the server's start.
    data, parts, flags, _ = line.recvmsg(size, _socket.CMSG_LEN(_FDS_MAX * _INT.size))
    fds = [fd for _, _, part in parts for (fd,) in _INT.iter_unpack(part[: len(part) // 4 * 4])]
    return data, fds, flags


def _close_all(fds: list[int]) -> list[int]:
    for fd in fds:
        os.close(fd)
    return []


def _kill_group(pid: int, number: int) -> None:
    # EPERM: it has become another user's.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def fork_server_main(program: int, depth: int, code: int) -> None:
    """Run the fork server of the program with this pid, whose children are so deep in pools.

    Args:
        program: The pid.
        depth: How many pools the children are inside of.
        code: What the program's code on disk is like; see code_on_disk.py.
    """
    level[0] = depth
    begun_with[:] = [code]
    # The terminal's Ctrl-C is for the program, which then ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What exists now lives for ever and is shared with every child.
    gc.disable()
    gc.freeze()
    control = _socket.socket(fileno=_take_control())
    # The program may be dead before we have begun: then there is nobody to serve.
    with contextlib.suppress(ProcessLookupError):
        ForkServer(control, program).run()
    control.close()


def _take_control() -> int:
    """Return the line to the program, and have no other descriptor but the standard ones."""
    # What the program has let be inherited is for other programs than this one.
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - pathlib: 10 ms to import
        if int(name) > 2:
            with contextlib.suppress(OSError):  # The one that was used to look.
                os.close(int(name))
    control = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(null, 0)
    os.close(null)
    return control
