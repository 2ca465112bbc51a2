"""Callbacks: joblib's are called in a thread of their own, each once.

joblib's callback reads results, takes more items from the user's generator and submits
them. Futures end in the dispatcher of their pool: there it would hold up every other call, and a
generator that waits for one would wait for ever.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Final, TypeAlias

log = logging.getLogger(__name__)

Callback: TypeAlias = Callable[[Future[Any]], object]


class Callbacks:
    """The thread, and what it has still to call; starts with the first future."""

    def __init__(self) -> None:
        self._ended: Final[SimpleQueue[tuple[Callback, Future[Any]] | None]] = SimpleQueue()
        self._lock: Final = threading.Lock()  # guards starting the thread
        self._is_started = False

    def call_when_done(self, callback: Callback, future: Future[Any]) -> None:
        """Call it with the future when that has ended."""
        with self._lock:
            if not self._is_started:
                # Daemon: a generator that is read half must not keep the program from ending.
                threading.Thread(target=self._run, name="lightwork-joblib", daemon=True).start()
                self._is_started = True
        future.add_done_callback(lambda ended: self._ended.put((callback, ended)))

    def close(self) -> None:
        """End the thread when it has called what there is; it may be the one that asks."""
        self._ended.put(None)

    def _run(self) -> None:
        while (one := self._ended.get()) is not None:
            callback, future = one
            try:
                callback(future)
            except Exception:
                # joblib keeps errors of calls and of generators itself: this is another.
                log.exception("joblib_callback_failed callback=%r", callback)
            # Results may be large, and the next one may be late.
            del one, callback, future
