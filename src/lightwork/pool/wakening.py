"""Wakening: what a future has in the place of a `threading.Condition`.

Every future of the standard library makes a condition: six objects and a third of
the cost of a submitted call, though most futures are done before anybody waits for
them. Here there is only the lock; the condition is made by the first who waits.
"""

import threading
from types import TracebackType


class Wakening:
    """A lock, and a condition on demand: as much of one as futures use."""

    __slots__ = ("_condition", "_lock")

    def __init__(self) -> None:
        # Reentrant as the condition's own: the garbage collector may run what looks
        # at the same future.
        self._lock = threading.RLock()
        self._condition: threading.Condition | None = None

    def __enter__(self) -> bool:
        return self._lock.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    def acquire(self) -> bool:
        """Take the lock."""
        return self._lock.acquire()

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for `notify_all`, with the lock held before and after."""
        if self._condition is None:
            self._condition = threading.Condition(self._lock)
        return self._condition.wait(timeout)

    def notify_all(self) -> None:
        """Wake all who wait; the lock is held."""
        if self._condition is not None:
            self._condition.notify_all()
