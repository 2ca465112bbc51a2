"""Bell: rung by whoever has committed, heard at once by all other processes of the machine.

Rung by touching the lock file (filelock.py), which is ours: SQLite's own files are nobody's to open.
A hint and no more: programs that write the file without lightwork ring no bell, and where inotify is
not there nobody hears; watch.py looks now and then all the same.
"""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.store.sqlite.bell.inotify import Inotify

log = logging.getLogger(__name__)


class Bell:
    """Listens in a thread of its own, from the first `start` on.

    Attributes:
        on_ring: Called in the thread when it was rung, by this process too; returns soon, raises
            nothing. Set before the start.

    Args:
        path: What is touched.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.on_ring: Callable[[], object] = lambda: None
        self._is_started = False
        self._is_closed = False
        self._inotify: Inotify | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()  # guards the fields

    def start(self) -> bool:
        """Begin to listen, where that is possible; return whether it is heard. Idempotent."""
        if not self._is_started:
            self._start()
        return self._inotify is not None

    def _start(self) -> None:
        with Uninterrupted(), self._lock:
            if not self._may_start():
                return
            self._is_started = True
            try:
                inotify = Inotify(self._path)
            except OSError as error:
                log.info("store_bell_not_heard error=%s", error)
                return
            thread = threading.Thread(
                target=self._listen, args=(inotify,), name="lightwork-bell", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:
                # The program ends.
                inotify.close()
                return
            self._inotify, self._thread = inotify, thread

    def _may_start(self) -> bool:
        return not (self._is_started or self._is_closed)

    def close(self) -> None:
        """End the thread; idempotent."""
        with Uninterrupted(), self._lock:
            self._is_closed = True
            inotify, self._inotify = self._inotify, None
        if inotify is not None and self._thread is not None:
            inotify.stop()
            if self._thread is not threading.current_thread():
                self._thread.join()
            inotify.close()

    def close_inherited(self) -> None:
        """Let go of it in a forked child, which has no such thread."""
        if self._inotify is not None:
            self._inotify.close()

    def _listen(self, inotify: Inotify) -> None:
        while not self._is_closed:
            inotify.wait()
            if not self._is_closed:
                self.on_ring()
