"""Ends: a descriptor that is readable when something has ended, for what is no process of its own.

`multiprocessing.connection.wait` takes sentinels; a process has one from the system, threads and jobs
have these. Made when somebody asks for it: most are never waited for so.
"""

import os
import threading
import weakref


class End:
    """Whether something has ended, and the descriptor that says it. `_lock` guards the rest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fd = -1
        self._is_reached = False

    def reach(self) -> None:
        """Note that it has ended."""
        with self._lock:
            self._is_reached = True
            if self._fd >= 0:
                os.eventfd_write(self._fd, 1)

    def sentinel(self) -> int:
        """Return the descriptor; it is closed when this object goes."""
        with self._lock:
            if self._fd < 0:
                self._fd = os.eventfd(int(self._is_reached), os.EFD_CLOEXEC | os.EFD_NONBLOCK)
                weakref.finalize(self, os.close, self._fd)
            return self._fd
