"""Deadlines: a transaction that takes longer than its caller may wait loses its connection.

Most callers wait as long as it takes. In a thread that runs an event loop, and once the store
was told to hurry, it is a second; whatever keeps the server from answering (a lock, a stopped
server, a cable), the caller then goes on. No time-out of the server's is set for that: it would
cost a message in each transaction and would not help where the server itself is silent.

What was cut before its commit was sent is undone by the server.

`_changed` guards all fields. The cut happens under it, so that it never hits the next
transaction of the same connection; it is a system call that does not wait.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from lightwork.clock import monotonic
from lightwork.locks.uninterrupted import Uninterrupted

_NEVER: Final = float("inf")


class Deadline:
    """The end of one transaction's time."""

    def __init__(self, connection: Any, at: float) -> None:
        self.connection = connection
        self.at = at
        self.is_over = False


class Deadlines:
    """Those of one store's transactions.

    Args:
        cut: Makes whoever waits on a driver's connection fail at once.
    """

    def __init__(self, cut: Callable[[Any], None]) -> None:
        self._cut = cut
        self._open: set[Deadline] = set()
        self._looks_at = _NEVER
        self._is_closed = False
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()

    @contextmanager
    def of(self, connection: Any, at: float) -> Iterator[Deadline]:
        """Cut the driver's connection if the block takes until then."""
        deadline = Deadline(connection, at)
        try:
            with Uninterrupted(), self._changed:
                self._open.add(deadline)
                self._look_before(at)
            yield deadline
        finally:
            with Uninterrupted(), self._changed:
                self._open.discard(deadline)

    def hurry(self, at: float) -> None:
        """Let nothing that runs now take longer than until then."""
        with Uninterrupted(), self._changed:
            for deadline in self._open:
                deadline.at = min(deadline.at, at)
            self._look_before(at if self._open else _NEVER)

    def close(self) -> None:
        """End the thread; idempotent."""
        with Uninterrupted(), self._changed:
            self._is_closed = True
            thread = self._thread
            self._changed.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _look_before(self, at: float) -> None:
        if at == _NEVER or self._is_closed:
            return
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="lightwork-deadlines", daemon=True)
            thread.start()
            self._thread = thread
        if at < self._looks_at:
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while not self._is_closed:
                now = monotonic()
                for deadline in [each for each in self._open if each.at <= now]:
                    deadline.is_over = True
                    deadline.at = _NEVER
                    self._cut(deadline.connection)
                self._looks_at = min((each.at for each in self._open), default=_NEVER)
                left = self._looks_at - now
                self._changed.wait(None if left == _NEVER else max(left, 0.0))
