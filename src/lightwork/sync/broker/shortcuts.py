"""Shortcuts: the broker's host where the kernel has locks of the arena's kind: more without asking.

The broker says which bytes of the arena are whose, and nothing more.
"""

import contextlib
import errno
import os
import weakref
from collections import deque
from typing import Final

from lightwork.errors import LockLost, StoreUnavailable
from lightwork.sync.arena.arena import Arena
from lightwork.sync.arena.lock import ArenaLock
from lightwork.sync.arena.memory import ArenaMemory
from lightwork.sync.asked import AskedQueue
from lightwork.sync.broker import protocol
from lightwork.sync.broker.host import Broker, Session, error_of, lost_error
from lightwork.sync.broker.line import Line
from lightwork.sync.host import Place, QueueWay
from lightwork.sync.ring.layout import is_available
from lightwork.sync.ring.opened import Opened
from lightwork.sync.ring.way import RingQueue

# Of a question that the end of a broker does no harm to.
_TRIES: Final = 3
# Of a ring: two files, and two bells.
_DESCRIPTORS: Final = 4


class ArenaBroker(Broker):
    """See HasShortcuts in sync/host.py for what each method promises."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._arena = Arena(self._folder)
        self._locks: weakref.WeakValueDictionary[Place, ArenaLock] = weakref.WeakValueDictionary()
        self._memories: weakref.WeakValueDictionary[Place, ArenaMemory] = (
            weakref.WeakValueDictionary()
        )
        self._queues: weakref.WeakValueDictionary[Place, RingQueue] = weakref.WeakValueDictionary()
        # As `_news`: told before the next region is asked for.
        self._dropped: deque[Place] = deque()

    def open_lock(self, place: Place) -> ArenaLock:
        """Return how this lock is taken."""
        with self._lock:
            lock = self._locks.get(place)
            if lock is None:
                lock = ArenaLock(self._arena, place, self._allot, is_reentrant=bool(place.spec[0]))
                self._locks[place] = lock
                weakref.finalize(lock, self._dropped.append, place).atexit = False
            return lock

    def open_memory(self, place: Place) -> ArenaMemory:
        """Return these bytes."""
        with self._lock:
            memory = self._memories.get(place)
            if memory is None:
                memory = ArenaMemory(self._arena, place, self._allot)
                self._memories[place] = memory
                weakref.finalize(memory, self._dropped.append, place).atexit = False
            return memory

    def open_queue(self, place: Place) -> QueueWay:
        """Return how this queue is used."""
        if not is_available():
            return AskedQueue(self, place)
        with self._lock:
            found = self._queues.get(place)
            if found is None:
                found = self._queues[place] = RingQueue(self, place)
            return found

    def open_ring(self, place: Place) -> Opened | None:
        """Return the ring of a queue; None: it lives in the broker."""
        with self._lock:
            if place in self._lost:
                self._lost.discard(place)
                raise lost_error()
            session = self._current()
            self._refer(session)
            parts = (place.kind, place.name, place.spec)
            try:
                self._watch(session)
                outcome, answered = self._converse(protocol.RING, parts, None, None)
            except EOFError:
                self._lose(session, None)
                raise lost_error() from None
            except LockLost:
                self._lost.discard(place)
                raise
            if outcome != protocol.ANSWERED:
                raise error_of(place, outcome, answered[0])
            ring, descriptors = answered
            if ring is None:
                return None
            try:
                return self._opened(session, ring, descriptors)
            except (OSError, ValueError) as error:
                raise StoreUnavailable(
                    f"no room for the queue {place.name!r} in this process: {error}; it needs {len(descriptors)} "
                    "file descriptors (`ulimit -n`) and addresses (`ulimit -v`)"
                ) from error

    def _watch(self, session: Session) -> Line:
        """Return a line on which nothing is asked: whoever sleeps at a ring hears its end there."""
        if session.watched is None:
            session.watched = self._new_line(session)
            # When it is lost threads still sleep there, who must hear of it.
            weakref.finalize(session, session.watched.close)
        return session.watched

    def _opened(self, session: Session, ring: tuple[int, ...], descriptors: list[int]) -> Opened:
        epoch, size = ring
        if len(descriptors) < _DESCRIPTORS:
            for one in descriptors:
                os.close(one)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return Opened(
            self._arena,
            session,
            epoch=epoch,
            size=size,
            descriptors=descriptors,
            line=self._watch(session).socket.fileno(),
        )

    def ring_is_lost(self, place: Place, opened: Opened) -> Exception:
        """Note that the broker of a ring has ended; return what says so."""
        self._lose(opened.session, None)
        self._lost.discard(place)
        return lost_error()

    def _lose(self, session: Session, line: Line | None) -> None:
        super()._lose(session, line)
        with self._lock:
            for one in [*self._queues.values()]:
                one.forget()

    def _break(self, place: Place, *, is_in_arena: bool) -> bool:
        if is_in_arena:
            return self.open_lock(place).force_release()
        return super()._break(place, is_in_arena=False)

    def _allot(self, place: Place) -> tuple[int, int]:
        # One at a time: what was dropped before must not be what another thread is given.
        with self._lock:
            for _ in range(_TRIES):
                # What the arena holds is not lost with the broker.
                with contextlib.suppress(LockLost):
                    return self._ask_for(place)
            return self._ask_for(place)

    def _ask_for(self, place: Place) -> tuple[int, int]:
        self._refer(self._current())
        if self._dropped:
            self._converse(protocol.FREE, (self._take_dropped(),), 0.0, None)
        parts = (place.kind, place.name, place.spec)
        outcome, value = self._converse(protocol.ALLOT, parts, 0.0, None)
        if outcome != protocol.ANSWERED:
            raise error_of(place, outcome, value)
        offset, length = value
        return int(offset), int(length)

    def _refer(self, session: Session) -> None:
        if not session.has_arena:
            self._arena.refer(session.name)
            session.has_arena = True

    def _take_dropped(self) -> list[tuple[str, str]]:
        taken = []
        while self._dropped:
            place = self._dropped.popleft()
            if place not in self._locks and place not in self._memories:
                taken.append((place.kind, place.name))
        return taken

    def close(self) -> None:
        """Let go of what this process holds there, locks of the arena too; the next use begins anew."""
        super().close()
        with self._lock:
            for one in [*self._queues.values()]:
                one.forget()
        self._arena.close()

    def be_forked(self) -> None:
        """Forget, in a forked child, what is the parent's."""
        super().be_forked()
        for one in [*self._queues.values()]:
            one.be_forked()
        self._dropped.clear()
        self._arena.be_forked()
