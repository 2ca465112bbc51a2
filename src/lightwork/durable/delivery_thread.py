"""Delivery thread: what an executor does in a thread of its own, so that nobody else waits for it.

Ending a future calls whatever was added to it, and decoding its result may run the
user's classes. Neither may hold up the thread that claims and records: a callback
that sleeps for a minute would stop the worker for a minute. So a worker only
leaves word here, and a slow callback delays the futures behind it, no job.

A map that is dropped leaves word here, too, of what is to be cancelled: the collector may
drop it in any thread, also in the one that writes, or inside of a lock that is needed for it.
"""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

from lightwork.locks.uninterrupted import Uninterrupted

log = logging.getLogger(__name__)


class Delivery:
    """Does what it is given, one after the other, in its thread."""

    def __init__(self) -> None:
        # None: the last word.
        self._words: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="lightwork-delivery", daemon=True)
        self._lock = threading.Lock()  # guards that it is started once

    def start(self) -> None:
        """Begin; before anything can come: when the program ends nobody can start a thread.

        Idempotent; whoever only submits never needs it.
        """
        with Uninterrupted(), self._lock:
            if self._thread.ident is None:
                self._thread.start()

    def give(self, word: Callable[[], None]) -> None:
        """Have this done soon; returns at once, also in the middle of anything."""
        self._words.put(word)

    def close(self) -> None:
        """Return when all that was given is done; not in its own thread, which ends itself."""
        self._words.put(None)
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while (word := self._words.get()) is not None:
            try:
                word()
            except BaseException:
                # User code may raise anything; this thread serves all futures.
                log.exception("word_not_delivered")
            # While it waits, nothing here may keep a result that was delivered.
            del word
