"""Lock: a Lock or RLock of the arena, as one process has it.

Two things stand in the way of a thread that wants it: other threads of its process, and other
processes. The first wait in line for `_stage`, which only acquiring holds; the one whose turn it is waits until
no thread of the process has the lock, and then for the kernel's. All that says who has it is one
attribute, `_hold`, which is set at once or not at all: so a Ctrl-C may come between any two steps, and it is known
whether the lock was taken.

A Ctrl-C in the middle of letting go ends it by half, which is then finished before it is raised.
Letting go is in this order: the record, the kernel's lock, `_hold`, the bell. Were the second and third the other
way round, another thread could take the lock, which the kernel would not refuse to this process, just before it is unlocked.
"""

import contextlib
import fcntl
import threading
import time
from _thread import get_ident
from mmap import mmap
from typing import Final

from lightwork.errors import UsageError
from lightwork.locks.owned_lock import OwnedLock
from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.machines.lock import HELD_BY_ANOTHER, NOT_HELD
from lightwork.sync.arena import ofd, record
from lightwork.sync.arena.arena import Allot, Arena
from lightwork.sync.arena.layout import RECORD
from lightwork.sync.host import Place, Refusal

# With a time-out the kernel is asked again and again: it cannot wait for a time. Seconds.
_SHORTEST_PAUSE: Final = 20e-6
_LONGEST_PAUSE: Final = 2e-3


class _Hold:
    """One grant to a thread of this process."""

    __slots__ = ("count", "thread", "token")

    def __init__(self, thread: int) -> None:
        self.thread = thread
        self.count = 1
        self.token = 0


class ArenaLock:
    """A lock; all who have it in this process share this object.

    Raises:
        UsageError: It was made with another `spec`.
    """

    def __init__(self, arena: Arena, place: Place, allot: Allot, *, is_reentrant: bool) -> None:
        self._arena = arena
        self._place = place
        self._allot = allot
        self._is_reentrant = is_reentrant
        self._begin()
        self._find()
        arena.forkables.add(self)

    def _begin(self) -> None:
        self._stage = OwnedLock()
        self._bell = threading.Lock()
        self._bell.acquire()
        self._hold: _Hold | None = None

    def _find(self) -> None:
        self._offset, length = self._allot(self._place)
        self._wanted = ofd.request(self._offset)
        self._unwanted = ofd.request(self._offset, fcntl.F_UNLCK)
        self._map = self._arena.map_to(self._offset + RECORD + length)
        self._is_found = True

    def region(self) -> tuple[mmap, int]:
        """Return a map of the arena, and where in it the record is."""
        if not self._is_found:
            self._find()
        return self._map, self._offset

    def be_forked(self) -> None:
        """Forget what the parent's threads held."""
        self._begin()
        self._is_found = False

    def acquire(self, timeout: float | None) -> tuple[int, bool]:
        """Take it; return its token, and whether the last holder died with it.

        Raises:
            TimeoutError: It was not free in time; seconds.
        """
        hold = self._hold
        if self._is_reentrant and hold is not None and hold.thread == get_ident():
            hold.count += 1
            return hold.token, False
        mine = _Hold(get_ident())
        try:
            return self._acquire_in_turn(mine, timeout)
        except BaseException:
            # Interrupted after it was granted: then nobody would know of it.
            with Uninterrupted():
                if self._hold is mine:
                    self._let_go()
            raise

    def _acquire_in_turn(self, mine: _Hold, timeout: float | None) -> tuple[int, bool]:
        if timeout is None:
            # In C: no Ctrl-C comes between.
            with self._stage:
                return self._acquire(mine, None)
        end = time.monotonic() + timeout
        try:
            if not self._stage.acquire(timeout=max(timeout, 0.0)):
                raise TimeoutError
            return self._acquire(mine, end)
        finally:
            try:
                self._leave_stage()
            finally:
                # A Ctrl-C may have come in the middle of the above.
                self._leave_stage()

    def _acquire(self, mine: _Hold, end: float | None) -> tuple[int, bool]:
        try:
            while self._hold is not None:
                self._wait_for_bell(end)
            if not self._is_found:
                self._find()
            if not ofd.try_lock(self._arena.locks, self._wanted):
                self._wait_for_kernel(end)
            mine.token, is_inherited = record.claim(self._map, self._offset)
            self._hold = mine
        except BaseException:
            self._unlock_unheld()
            raise
        # What is held is not forgotten with the last variable that has it.
        self._arena.held.add(self)
        return mine.token, is_inherited

    def _wait_for_bell(self, end: float | None) -> None:
        left = -1 if end is None else end - time.monotonic()
        if end is not None and left <= 0:
            raise TimeoutError
        self._bell.acquire(timeout=left)

    def _wait_for_kernel(self, end: float | None) -> None:
        descriptor = self._arena.locks
        if end is None:
            ofd.lock(descriptor, self._wanted)
            return
        pause = _SHORTEST_PAUSE
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(pause, left))
            if ofd.try_lock(descriptor, self._wanted):
                return
            pause = min(pause * 2, _LONGEST_PAUSE)
        raise TimeoutError

    def _unlock_unheld(self) -> None:
        """Unlock what was locked and not granted: only who is on the stage can have done it."""
        if self._hold is None and self._stage.is_owned() and self._is_found:
            if record.holder_of(self._map, self._offset) == record.me():
                record.clear(self._map, self._offset)
            ofd.unlock(self._arena.locks, self._unwanted)

    def _leave_stage(self) -> None:
        if self._stage.is_owned():
            self._stage.release()

    def release(self) -> None:
        """Let go of it once; a Ctrl-C that comes meanwhile is raised when it is done.

        Raises:
            Refusal: Nobody has it, or another process, or (RLock) another thread.
        """
        hold = self._hold
        before = 0 if hold is None else hold.count
        try:
            self._release_once(hold)
        except Refusal:
            raise
        except BaseException:
            with Uninterrupted():
                self._finish(hold, before)
            raise

    def _release_once(self, hold: _Hold | None) -> None:
        if hold is None:
            raise Refusal(HELD_BY_ANOTHER if self.is_locked() else NOT_HELD)
        if self._is_reentrant:
            if hold.thread != get_ident():
                raise Refusal(HELD_BY_ANOTHER)
            if hold.count > 1:
                hold.count -= 1
                return
        # In this order: see the module's header.
        record.clear(self._map, self._offset)
        ofd.unlock(self._arena.locks, self._unwanted)
        self._leave()

    def _finish(self, hold: _Hold | None, before: int) -> None:
        """Do what is left of a release that was interrupted."""
        if hold is None or (self._is_reentrant and hold.thread != get_ident()):
            return
        if before > 1:
            hold.count = before - 1
        elif self._hold is hold:
            self._let_go()
        else:
            self._ring_if_shut()

    def release_grant(self, token: int) -> None:
        """Let go of it if this grant has it still, taken once: a release may have been cut off before it began."""
        with Uninterrupted():
            hold = self._hold
            if hold is not None and hold.token == token and hold.count == 1:
                self._let_go()

    def _let_go(self) -> None:
        """Let go of it, whichever part of that was done before."""
        # Unlocked already, another process may have it by now, and stand in the record.
        holder = record.holder_of(self._map, self._offset)
        if holder is not None and holder.is_in_this_process():
            record.clear(self._map, self._offset)
        ofd.unlock(self._arena.locks, self._unwanted)
        self._leave()

    def _leave(self) -> None:
        # First: whoever takes it next is in there.
        self._arena.held.discard(self)
        self._hold = None
        self._ring_if_shut()

    def _ring_if_shut(self) -> None:
        if self._bell.locked():
            self._ring()

    def _ring(self) -> None:
        with contextlib.suppress(RuntimeError):  # Another thread was quicker.
            self._bell.release()

    def force_release(self) -> bool:
        """Take it from whichever thread of this process holds it; return whether it was held.

        Raises:
            UsageError: Another process holds it, from which the kernel takes it when it ends, and not before.
        """
        if self._hold is not None:
            # It stands in the record as one that has died does.
            ofd.unlock(self._arena.locks, self._unwanted)
            self._leave()
            return True
        if not self.is_locked():
            return False
        holder = record.holder_of(self._map, self._offset)
        seen = "a process" if holder is None else f"process {holder.pid}"
        raise UsageError(
            f"{self._place.name!r} is held by {seen}, which alone can let go of a lock between processes "
            "of one machine: end that process"
        )

    def is_locked(self) -> bool:
        """Whether anybody has it."""
        if self._hold is not None:
            return True
        if not self._is_found:
            self._find()
        return ofd.is_locked(self._arena.locks, self._offset)

    def count(self) -> int:
        """Return how often this thread holds it; of what is not reentrant, this process."""
        hold = self._hold
        if hold is None or (self._is_reentrant and hold.thread != get_ident()):
            return 0
        return hold.count
