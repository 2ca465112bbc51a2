"""Loop: the one thread of the broker: what happens is taken in turn, and nothing is waited for but that.

Each ready connection has one turn of bounded size, so that nobody who sends much, or reads nothing,
holds up others.
"""

import errno
import os
import select
import socket
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, Final

from lightwork.sync.broker import protocol
from lightwork.sync.broker.connection import Connection
from lightwork.sync.broker.listing import page
from lightwork.sync.broker.primitives import Primitives
from lightwork.sync.broker.regions import NoRoomError, Regions, SpecDiffersError
from lightwork.sync.broker.sessions import Session, handle_of, peer_of

# How long it stays when nobody is there any more; seconds.
LINGER: Final = 3.0
_TICK: Final = 1.0
# No more files, in this process or on this machine, or no memory for one.
_FULL: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Loop:
    """Serves a listening socket until nobody is left."""

    def __init__(self, listener: socket.socket, regions: Regions) -> None:
        self._listener = listener
        self._regions = regions
        self._primitives = Primitives()
        self._unnamed = regions.unnamed
        self._sessions: dict[bytes, Session] = {}
        self._lines: dict[int, Connection] = {}
        self._lines_made = 0
        self._epoll = select.epoll()
        self._ready: dict[int, Callable[[int], None]] = {}
        # Nobody is let in until somebody has gone, or until the next tick.
        self._is_full = self._has_said_full = False
        self._watch(listener.fileno(), self._accept)

    def run(self) -> None:
        """Return when nobody has been there for LINGER seconds."""
        looked_at = used_at = time.monotonic()
        while self._sessions or looked_at - used_at < LINGER:
            for number, events in self._epoll.poll(_TICK):
                # Another's turn may have ended it.
                if act := self._ready.get(number):
                    self._act(act, events)
            now = time.monotonic()
            if self._sessions:
                used_at = now
            if now - looked_at >= _TICK:
                self._let_in()
            if now - looked_at >= _TICK or not self._sessions:
                looked_at = now
                self._forget(now)

    def _forget(self, now: float) -> None:
        """Let go of what nobody has any more."""
        for name in self._unnamed.forgotten(now):
            self._primitives.forget(name)
            self._regions.forget(name)
        self._regions.look_again()

    @staticmethod
    def _act(act: Callable[[int], None], events: int) -> None:
        try:
            act(events)
        except Exception:
            # One question must not end what holds everybody's locks.
            traceback.print_exc(file=sys.stderr)

    def _watch(self, number: int, act: Callable[[int], None]) -> None:
        self._ready[number] = act
        self._epoll.register(number, select.EPOLLIN)

    def _unwatch(self, number: int) -> None:
        if self._ready.pop(number, None):
            self._epoll.unregister(number)

    def _accept(self, _events: int) -> None:
        try:
            line, _ = self._listener.accept()
        except OSError as error:
            if error.errno in _FULL:
                self._let_nobody_in(error)
            return
        self._has_said_full = False
        pid, uid = peer_of(line)
        if uid != os.geteuid():
            line.close()
            return
        line.setblocking(False)
        self._lines_made += 1
        connection = Connection(line, self._lines_made, pid, self._wait_to_send)
        self._lines[connection.number] = connection
        self._watch(line.fileno(), lambda events: self._turn(connection, events))

    def _let_nobody_in(self, error: OSError) -> None:
        """Look at the listener no more: whoever waits there would be announced again and again."""
        self._unwatch(self._listener.fileno())
        self._is_full = True
        if not self._has_said_full:
            self._has_said_full = True
            sys.stderr.write(
                f"no more connections: {error.strerror}; others come when some have gone\n"
            )

    def _let_in(self) -> None:
        if self._is_full:
            self._is_full = False
            self._watch(self._listener.fileno(), self._accept)

    def _turn(self, connection: Connection, events: int) -> None:
        if connection.has_unsent:
            connection.send_rest()
            if not connection.has_unsent:
                self._epoll.modify(connection.socket.fileno(), select.EPOLLIN)
            elif not events & (select.EPOLLHUP | select.EPOLLERR):
                return
        self._read(connection)

    def _wait_to_send(self, connection: Connection) -> None:
        # No more is read of a client than it reads.
        self._epoll.modify(connection.socket.fileno(), select.EPOLLOUT)

    def _read(self, connection: Connection) -> bool:
        """Do what has come on a line; return whether there may be more."""
        try:
            messages = connection.receive()
            for message in messages:
                self._do(connection, message)
        except (EOFError, protocol.FrameError):
            self._end(connection)
            return False
        except (ValueError, TypeError):
            self._end(connection)
            raise
        return bool(messages)

    def _do(self, connection: Connection, message: tuple[Any, ...]) -> None:
        kind = message[0]
        if kind == protocol.ASK and connection.session:
            connection.question, connection.last = message[1], b""
            self._primitives.ask(connection, message)
        elif kind == protocol.WITHDRAW:
            if connection.question == message[1]:
                self._primitives.withdraw(connection)
        elif kind == protocol.HELLO:
            self._join(connection, message[1])
        elif kind == protocol.GOT:
            connection.forget_last()
        elif kind == protocol.SETTLE and connection.session:
            self._settle(connection, *message[1:])
        elif kind == protocol.ALLOT and connection.session:
            self._allot(connection, message)
        elif kind == protocol.RING and connection.session:
            self._primitives.give_ring(connection, message, self._regions.epoch)
        elif kind == protocol.FREE and connection.session:
            self._regions.drop(connection.session, message[2])
            connection.answer(message[1], protocol.ANSWERED)
        elif kind == protocol.KEEP and connection.session:
            self._unnamed.keep(connection.session, map(tuple, message[1]))
        elif kind == protocol.DROP and connection.session:
            self._unnamed.drop(connection.session, map(tuple, message[1]), time.monotonic())
        elif kind == protocol.LIST:
            # Of no session too: whoever only looks keeps nothing alive.
            self._list(connection, *message[1:])
        elif kind == protocol.BYE and connection.session:
            self._lose(self._sessions[connection.session])
        else:
            raise protocol.FrameError(f"a message of kind {kind}")

    def _join(self, connection: Connection, name: bytes) -> None:
        session = self._sessions.get(name)
        if session is None:
            session = Session(name, connection.pid, handle_of(connection.socket, connection.pid))
            self._sessions[name] = session
            if session.handle >= 0:
                self._watch(session.handle, lambda _events: self._lose(session))
        elif session.pid != connection.pid:
            raise protocol.FrameError("the session of another process")
        connection.session = name
        session.connections.add(connection)
        connection.answer(0, protocol.ANSWERED, connection.number)

    def _settle(self, connection: Connection, number: int, line: int, question: int) -> None:
        """Say what became of a question on another line of the same session, and close that line."""
        other = self._lines.get(line)
        outcome, value = protocol.WITHDRAWN, None
        if other is not None and other.session == connection.session:
            # What was sent before this is here already, if it is not the half of something.
            while not other.is_closed and self._read(other):
                pass
            if other.waiting_at is not None:
                self._primitives.withdraw(other)
            if other.question == question and other.last:
                _, outcome, value = protocol.parts_of(memoryview(other.last)[protocol.HEAD :])
            self._end(other)
        connection.answer(number, outcome, value)

    def _allot(self, connection: Connection, message: tuple[Any, ...]) -> None:
        _, number, kind, name, spec = message
        try:
            region = self._regions.allot(connection.session, kind, name, spec)
        except SpecDiffersError as error:
            connection.answer(number, protocol.DIFFERS, str(error))
        except (NoRoomError, OSError) as error:
            connection.answer(number, protocol.NO_ROOM, str(error))
        else:
            connection.answer(number, protocol.ANSWERED, (region.offset, region.length))

    def _list(self, connection: Connection, number: int, after: list[str]) -> None:
        kind, name = after
        rows = page(self._primitives, self._regions, self._sessions, (kind, name))
        connection.answer(number, protocol.ANSWERED, rows)

    def _end(self, connection: Connection) -> None:
        """A line is gone, and what it waited for; with its last line a session is lost."""
        if connection.is_closed:
            return
        if connection.waiting_at is not None:
            self._primitives.withdraw(connection)
        self._close(connection)
        session = self._sessions.get(connection.session)
        if session is not None:
            session.connections.discard(connection)
            if not session.connections:
                self._lose(session)

    def _lose(self, session: Session) -> None:
        if self._sessions.pop(session.name, None) is None:
            return
        self._unwatch(session.handle)
        for connection in session.connections:
            self._close(connection)
        session.close()
        self._primitives.lose(session.name)
        self._unnamed.leave(session.name, time.monotonic())
        self._regions.leave(session.name)

    def _close(self, connection: Connection) -> None:
        self._unwatch(connection.socket.fileno())
        self._lines.pop(connection.number, None)
        connection.close()
        self._let_in()
