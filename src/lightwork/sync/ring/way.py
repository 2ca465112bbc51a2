"""Way: a queue of the broker as one process uses it: by its ring, or by asking when it has none or has it no more.

    put, get ──▶ the thread's lock ──▶ the kernel's ──▶ a step of ring.py ──▶ unlock ──▶ ring the bell if somebody waits
                                                            └─ nothing: look again for a moment, then sleep (bell.py), and again

- Nobody sleeps with a lock held. A lock of the kernel that another has is waited for as long as a question may wait, and by those
  that do not wait a second: it is held for microseconds, unless its holder was stopped in the middle.
- A function of a signal, or a finalizer, that comes in the middle of a step of its own thread and uses the same queue cannot wait
  for that step. It moves the queue to the broker's machine, which serves everybody; the step then finds it moved.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn, Protocol

from lightwork.locks.owned_lock import OwnedLock
from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.machines.queue import EMPTY, FULL, SHUT_DOWN, TOO_MANY_DONE
from lightwork.sync.asked import AskedQueue
from lightwork.sync.host import Got, Host, Place, Refusal
from lightwork.sync.ring.bell import BrokerEndedError, Listener, ring_if_wanted
from lightwork.sync.ring.layout import (
    END_WANTED,
    FLAGS,
    ITEMS_WANTED,
    MODE,
    PUT_SEQ,
    ROOM_WANTED,
)
from lightwork.sync.ring.opened import Opened
from lightwork.sync.ring.ring import NOTHING, MovedError, Taken

# Who finds nothing looks so often again, some 20 us, where another processor may bring something meanwhile.
# Where the mask is not told there are no rings.
_CPUS: Final = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
_LOOKS: Final = 300 if _CPUS > 1 else 0
# Of a lock, before its waiter sleeps: it is held for some three microseconds, and to sleep costs more.
_TRIES: Final = 10 if _LOOKS else 1
_SHORTEST_PAUSE: Final = 20e-6
_LONGEST_PAUSE: Final = 2e-3
# For the lock of a side, by those who do not wait; seconds.
_PATIENCE: Final = 1.0
# For the second of two locks, after which the first is let go for a while.
_BOTH: Final = 0.01

_flock: Final = fcntl.flock
_TAKE: Final = fcntl.LOCK_EX | fcntl.LOCK_NB
_FREE: Final = fcntl.LOCK_UN


class RingHost(Host, Protocol):
    """A host that makes rings."""

    def open_ring(self, place: Place) -> Opened | None:
        """Return the ring of a queue; None: it lives in the host's machine.

        Raises:
            StoreUnavailable: This process has no room for it.
        """

    def ring_is_lost(self, place: Place, opened: Opened) -> Exception:
        """Note that its broker has ended, and return what is raised to say so."""


class RingQueue:
    """See QueueWay in sync/host.py. All who have the queue in this process share this object."""

    def __init__(self, host: RingHost, place: Place) -> None:
        self._host, self._place = host, place
        maxsize: Any = place.spec[0]
        self._maxsize = int(maxsize)
        self._asked = AskedQueue(host, place)
        self._begin()

    def _begin(self) -> None:
        self._put_lock, self._get_lock = OwnedLock(), OwnedLock()
        self._opened: Opened | None = None
        self._is_moved = False

    def be_forked(self) -> None:
        """Forget, in a forked child, what is the parent's."""
        if self._opened is not None:
            self._opened.close()
        self._begin()

    def forget(self) -> None:
        """Open it anew at the next use."""
        self._opened = None
        self._is_moved = False

    def _open(self) -> Opened:
        """Return the ring.

        Raises:
            MovedError: There is none, or no more.
        """
        if not self._is_moved:
            # A broker is started here, if need be, where a Ctrl-C is felt.
            assert self._host.session
            with Uninterrupted():
                self._opened = opened = self._host.open_ring(self._place)
            if opened is not None:
                return opened
            self._is_moved = True
        raise MovedError

    # Puts.

    def put(self, items: tuple[bytes, ...], *, block: bool, timeout: float | None) -> int:
        """Put as many as find room in time; return how many."""
        if not items:
            return 0
        end = None if block and timeout is None else _end_of(block=block, timeout=timeout)
        try:
            if self._put_lock.is_owned():
                self._move()
            opened = self._opened or self._open()
            count = self._put_once(opened, items, end)
        except MovedError:
            self._note_moved()
            return self._asked.put(items, block=block, timeout=timeout)
        if count < 0:
            raise Refusal(SHUT_DOWN)
        if block and count < len(items):
            count = self._put_rest(opened, items, count, end)
        if not count:
            raise Refusal(FULL)
        return count

    def _put_once(self, opened: Opened, items: tuple[bytes, ...], end: float | None) -> int:
        with self._put_lock:
            try:
                try:
                    _flock(opened.put_lock, _TAKE)
                except BlockingIOError:
                    _wait_for(opened.put_lock, end)
                if opened.epoch_now[0] != opened.epoch:
                    raise self._host.ring_is_lost(self._place, opened)
                count = opened.ring.put(items, self._maxsize)
            finally:
                # At once: after a call a Ctrl-C may come, before one it cannot.
                _flock(opened.put_lock, _FREE)
        if opened.words[ITEMS_WANTED]:
            ring_if_wanted(opened.words, ITEMS_WANTED, opened.items)
        return count

    def _put_rest(
        self, opened: Opened, items: tuple[bytes, ...], count: int, end: float | None
    ) -> int:
        """Wait for room; return how many are in, the first `count` among them."""
        try:
            with self._listening(opened, ROOM_WANTED) as listener:
                while count < len(items):
                    more = self._put_once(opened, items[count:], end)
                    if more < 0 and not count:
                        raise Refusal(SHUT_DOWN)
                    count += max(more, 0)
                    if more < 0 or (count < len(items) and not listener.sleep(end)):
                        break
                listener.pass_on()
        except MovedError:
            self._note_moved()
            with _nothing_more_is_fine(count):
                left = _left_until(end)
                count += self._asked.put(items[count:], block=True, timeout=left)
        return count

    # Gets. Whatever was taken is in `taken`, or in nothing: between the store that makes it so and the
    # return from `get` no function is called, or an `except` puts it back.

    def get(self, most: int, *, ack: bool, block: bool, timeout: float | None) -> Got:
        """Get at least one item, at most so many."""
        end = None if block and timeout is None else _end_of(block=block, timeout=timeout)
        try:
            if not ack or self._get_lock.is_owned():
                self._move()
            opened = self._opened or self._open()
            taken = self._take_once(opened, most, end)
            if not taken[1]:
                if not block:
                    raise Refusal(EMPTY)
                taken = self._take_later(opened, most, end)
        except MovedError:
            self._note_moved()
            return self._asked.get(most, ack=ack, block=block, timeout=_left_until(end))
        return (), taken

    def _take_once(self, opened: Opened, most: int, end: float | None) -> Taken:
        taken = NOTHING
        try:
            with self._get_lock:
                try:
                    try:
                        _flock(opened.get_lock, _TAKE)
                    except BlockingIOError:
                        _wait_for(opened.get_lock, end)
                    if opened.epoch_now[0] != opened.epoch:
                        raise self._host.ring_is_lost(self._place, opened)
                    taken = opened.ring.take(most)
                    if opened.words[FLAGS] and not taken[1]:
                        raise Refusal(SHUT_DOWN)
                finally:
                    _flock(opened.get_lock, _FREE)
            if opened.words[ROOM_WANTED]:
                ring_if_wanted(opened.words, ROOM_WANTED, opened.progress)
        except BaseException:
            self._put_back(opened, taken)
            raise
        return taken

    def _take_later(self, opened: Opened, most: int, end: float | None) -> Taken:
        words = opened.words
        seq = words[PUT_SEQ]
        for _ in range(_LOOKS):
            if words[PUT_SEQ] != seq:
                break
        taken = NOTHING
        try:
            taken = self._take_once(opened, most, end)
            if taken[1]:
                return taken
            with self._listening(opened, ITEMS_WANTED) as listener:
                taken = self._take_once(opened, most, end)
                while not taken[1]:
                    if not listener.sleep(end):
                        raise TimeoutError
                    taken = self._take_once(opened, most, end)
                if opened.ring.look().size:
                    listener.pass_on()
        except BaseException:
            self._put_back(opened, taken)
            raise
        return taken

    def give_back(self, got: Got, *, ack: bool) -> None:
        """Undo a get."""
        items, taken = got
        if items:
            self._asked.give_back(got, ack=ack)
            return
        try:
            opened = self._opened or self._open()
        except MovedError:
            self._give_back_there(taken)
        else:
            self._put_back(opened, taken)

    def _put_back(self, opened: Opened, taken: Taken) -> None:
        """Undo a take."""
        if not taken[1]:
            return
        with Uninterrupted():
            try:
                with self._locked_to_get(opened):
                    is_back = opened.ring.put_back(taken)
                if not is_back:
                    # Others have taken what came after it: there numbers say what is first.
                    self._move()
            except MovedError:
                self._note_moved()
                self._give_back_there(taken)
            else:
                _ring_all(opened)

    def _give_back_there(self, taken: Taken) -> None:
        first, contents, _, _ = taken
        pairs = tuple(zip(range(first, first + len(contents)), contents, strict=True))
        self._asked.give_back((pairs, NOTHING), ack=True)

    def let_go(self, verb: str, numbers: tuple[int, ...]) -> None:
        """Ack or nack what was got without."""
        with contextlib.suppress(MovedError):
            if not self._is_moved:
                self._move()
        self._asked.let_go(verb, numbers)

    # All else.

    def done(self) -> None:
        """Count one item as done."""
        try:
            opened = self._opened or self._open()
            with self._locked_to_get(opened):
                is_counted = opened.ring.done(1)
            if not opened.ring.look().unfinished:
                ring_if_wanted(opened.words, END_WANTED, opened.progress)
        except MovedError:
            self._note_moved()
            return self._asked.done()
        if not is_counted:
            raise Refusal(TOO_MANY_DONE)
        return None

    def join(self, timeout: float | None) -> None:
        """Wait until all is done."""
        end = _end_of(block=True, timeout=timeout)
        try:
            opened = self._opened or self._open()
            with self._listening(opened, END_WANTED, is_alone=False) as listener:
                while self._unfinished(opened):
                    if not listener.sleep(end):
                        raise TimeoutError
        except MovedError:
            self._note_moved()
            self._asked.join(_left_until(end))

    def _unfinished(self, opened: Opened) -> int:
        # Under the lock: what is read comes after the word that asks to be woken.
        with self._locked_to_get(opened):
            self._check_here(opened)
            return opened.ring.look().unfinished

    def shutdown(self, *, immediate: bool) -> None:
        """Let nothing more be put."""
        try:
            opened = self._opened or self._open()
            self._check_not_inside()
            with self._both_locked(opened):
                opened.ring.shut_down(is_immediate=immediate)
            _ring_all(opened)
        except MovedError:
            self._note_moved()
            self._asked.shutdown(immediate=immediate)

    def state(self) -> tuple[int, int, int, bool, int]:
        """Return maxsize, size, unfinished, whether it is shut down, and how many are given."""
        try:
            opened = self._opened or self._open()
            seen = opened.ring.look()
            self._check_here(opened)
        except MovedError:
            self._note_moved()
            return self._asked.state()
        return self._maxsize, seen.size, seen.unfinished, seen.is_shut_down, 0

    # Locks.

    def _check_here(self, opened: Opened) -> None:
        if opened.words[MODE]:
            raise MovedError
        if opened.epoch_now[0] != opened.epoch:
            raise self._host.ring_is_lost(self._place, opened)

    def _check_not_inside(self) -> None:
        """Move the queue if this thread is in the middle of a step."""
        if self._put_lock.is_owned() or self._get_lock.is_owned():
            self._move()

    @contextmanager
    def _listening(
        self, opened: Opened, wanted: int, *, is_alone: bool = True
    ) -> Iterator[Listener]:
        self._check_not_inside()
        is_kept = wanted == ITEMS_WANTED
        bell = opened.items if is_kept else opened.progress
        # Four system calls less for each item that is waited for.
        found = opened.kept.pop() if is_kept and opened.kept else None
        try:
            listener = found or Listener(opened.words, wanted, bell, opened.line, is_alone=is_alone)
            with listener:
                yield listener
        except BrokerEndedError:
            raise self._host.ring_is_lost(self._place, opened) from None
        if is_kept and not opened.kept:
            opened.kept.append(listener)

    @contextmanager
    def _locked_to_get(self, opened: Opened) -> Iterator[None]:
        if self._get_lock.is_owned():
            self._move()
        with self._get_lock:
            try:
                _wait_for(opened.get_lock, None)
                self._check_here(opened)
                yield
            finally:
                _flock(opened.get_lock, _FREE)

    @contextmanager
    def _both_locked(self, opened: Opened) -> Iterator[None]:
        """Lock out all who put and all who get."""
        with self._put_lock, self._get_lock:
            try:
                while True:
                    _wait_for(opened.put_lock, None)
                    # Another may have this, and in the middle of it need the other: see the header.
                    with contextlib.suppress(TimeoutError):
                        _wait_for(opened.get_lock, time.monotonic() + _BOTH, least=0.0)
                        break
                    _flock(opened.put_lock, _FREE)
                    time.sleep(_BOTH)
                yield
            finally:
                try:
                    _flock(opened.get_lock, _FREE)
                finally:
                    _flock(opened.put_lock, _FREE)

    def _move(self) -> NoReturn:
        """Move the queue to the broker's machine, for all and for good.

        Raises:
            MovedError: It is there.
        """
        opened = self._opened or self._open()
        with Uninterrupted(), self._both_locked(opened):
            opened.ring.move()
        _ring_all(opened)
        raise MovedError

    def _note_moved(self) -> None:
        self._is_moved = True
        self._opened = None


def _ring_all(opened: Opened) -> None:
    """Wake all who sleep: each that hears it rings for the next."""
    os.eventfd_write(opened.items, 1)
    os.eventfd_write(opened.progress, 1)


def _wait_for(descriptor: int, end: float | None, *, least: float = _PATIENCE) -> None:
    """Lock, and wait for it until `end` (`time.monotonic`) or for `least` seconds.

    Raises:
        TimeoutError: It was not free so long.
    """
    for _ in range(_TRIES):
        if _is_taken(descriptor):
            return
    if end is None:
        _flock(descriptor, fcntl.LOCK_EX)
        return
    end = max(end, time.monotonic() + least)
    pause = _SHORTEST_PAUSE
    while time.monotonic() < end:
        time.sleep(pause)
        if _is_taken(descriptor):
            return
        pause = min(pause * 2, _LONGEST_PAUSE)
    raise TimeoutError


def _is_taken(descriptor: int) -> bool:
    """Lock, if it can be at once; return whether it was."""
    try:
        _flock(descriptor, _TAKE)
    except BlockingIOError:
        return False
    return True


def _end_of(*, block: bool, timeout: float | None) -> float | None:
    if not block:
        return 0.0
    return None if timeout is None else time.monotonic() + timeout


def _left_until(end: float | None) -> float | None:
    return None if end is None else max(0.0, end - time.monotonic())


@contextmanager
def _nothing_more_is_fine(count: int) -> Iterator[None]:
    """Of a put of which some are in, the rest may be refused."""
    try:
        yield
    except (Refusal, TimeoutError):
        if not count:
            raise
