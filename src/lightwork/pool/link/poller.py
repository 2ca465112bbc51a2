"""Poller: waits for descriptors, for a time, or for another thread's wake-up."""

import contextlib
import os
import select
import threading
from typing import Final

from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.pool.call.free_threading import HAS_GIL

_READ: Final = select.EPOLLIN
FOREVER: Final = float("inf")
# Longer waits are cut to this: the system takes no more than 24 days, and whoever waits looks
# again anyway. A wake-up needs that a thread which appends and then looks whether this one
# sleeps, and this one, which says that it will sleep and then looks, do not both miss the
# other. Without a GIL only the machine orders that, and some do not (ARM): a wake-up that was
# missed costs a moment, no hang.
_LONGEST: Final = 86_400.0 if HAS_GIL else 0.05


class Poller:
    """An epoll object and an eventfd; one thread waits, any thread wakes it."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._wake, _READ)
        # Guards _is_closed. Reentrant: the garbage collector may wake us inside of it.
        self._lock = threading.RLock()
        # 0.0: awake, it will look again anyway before it sleeps.
        self._sleeps_until = 0.0
        self._is_closed = False

    def watch(self, fd: int) -> None:
        """Report the descriptor when it can be read; takes effect at once."""
        self._epoll.register(fd, _READ)

    def ignore(self, fd: int) -> None:
        """Stop reporting it; must come before it is closed."""
        self._epoll.unregister(fd)

    def wake(self) -> None:
        """End the current or the next wait."""
        with self._lock:
            if not self._is_closed:
                os.eventfd_write(self._wake, 1)

    def wake_from_finalizer(self) -> None:
        """Do the same without a lock: the thread that runs this may hold it."""
        with contextlib.suppress(OSError):
            os.eventfd_write(self._wake, 1)

    def wake_before(self, instant: float) -> None:
        """End the current wait if it would last beyond this monotonic instant."""
        # Read without a lock: a thread that is about to sleep announces it first
        # and then looks at its tables.
        if self._sleeps_until > instant:
            with Uninterrupted():
                # One wake-up is enough, however long the thread takes to notice it.
                self._sleeps_until = 0.0
                self.wake()

    def announce(self, until: float) -> None:
        """Say how long the next wait may last; look at the tables after that."""
        self._sleeps_until = until

    def wait(self, timeout: float) -> list[int]:
        """Return the readable descriptors; [] also after a day, however long the timeout."""
        ready = self._epoll.poll(min(max(timeout, 0.0), _LONGEST))
        self._sleeps_until = 0.0
        fds = [fd for fd, _ in ready]
        if self._wake in fds:
            fds.remove(self._wake)
            os.eventfd_read(self._wake)
        return fds

    def close(self) -> None:
        """Release the descriptors; later wake-ups do nothing."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._epoll.close()
                os.close(self._wake)
