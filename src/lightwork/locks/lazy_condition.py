"""Lazy condition: what a future has in the place of a `threading.Condition`.

Every future of the standard library makes a condition: six objects and a third of
the cost of a submitted call, though most futures are done before anybody waits for
them. Here there is only the lock, and one more for each who waits.

It *is* the lock, not an object that has one: then `with` takes and releases it in C,
where no Ctrl-C can come between. One that came in a method of ours would leave the
lock taken, and the pool, which ends the future, would wait for it for ever.
"""

from _thread import LockType, allocate_lock

from lightwork.locks.owned_lock import OwnedLock


# Reentrant as the condition's own: the garbage collector may run what looks at the same future.
class LazyCondition(OwnedLock):  # type: ignore[misc]
    """A lock, and a condition on demand: as much of one as futures use."""

    __slots__ = ("_waiting",)

    _waiting: list[LockType]

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for `notify_all`, with the lock held before and after."""
        waiter = allocate_lock()
        waiter.acquire()
        self._waiting = [*getattr(self, "_waiting", ()), waiter]
        held = None
        try:
            held = self._release_save()  # type: ignore[attr-defined]
            return waiter.acquire(timeout=-1 if timeout is None else max(timeout, 0.0))
        finally:
            try:
                self._take_again(held)
            finally:
                # A Ctrl-C may have come in the middle of the above.
                self._take_again(held)
            self._waiting = [other for other in self._waiting if other is not waiter]

    def notify_all(self) -> None:
        """Wake all who wait; the lock is held."""
        for waiter in getattr(self, "_waiting", ()):
            if waiter.locked():
                waiter.release()

    def _take_again(self, held: object) -> None:
        if self.is_owned():
            return
        if held is not None:
            self._acquire_restore(held)  # type: ignore[attr-defined]
        else:
            # A Ctrl-C came before it was noted how often it was held; futures hold it once.
            self.acquire()
