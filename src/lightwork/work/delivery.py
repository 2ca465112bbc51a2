"""Delivery: ends futures in a thread of its own, because that runs code of users.

Ending a future calls whatever was added to it, and decoding its result may run the
user's classes. Neither may hold up the thread that claims and records: a callback
that sleeps for a minute would stop the worker for a minute. So a worker only
leaves word here, and a slow callback delays the futures behind it, no job.
"""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

from lightwork.uninterrupted import Uninterrupted

log = logging.getLogger(__name__)


class Delivery:
    """Does what it is given, one after the other, in its thread."""

    def __init__(self) -> None:
        # None: the last word.
        self._words: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        # Started now: when the program is ending nobody can start one any more.
        self._thread = threading.Thread(target=self._run, name="lightwork-delivery", daemon=True)
        with Uninterrupted():
            self._thread.start()

    def give(self, word: Callable[[], None]) -> None:
        """Have this done soon; returns at once."""
        self._words.put(word)

    def close(self) -> None:
        """Return when all that was given is done; not in its own thread, which ends itself."""
        self._words.put(None)
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while (word := self._words.get()) is not None:
            try:
                word()
            except BaseException:
                # User code may raise anything; this thread serves all futures.
                log.exception("outcomes_not_delivered")
            # While it waits, nothing here may keep a result that was delivered.
            del word
