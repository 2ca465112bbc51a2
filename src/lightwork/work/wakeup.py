"""Wake-up: tells a waiting loop that the store has changed.

A thread of its own, because a loop cannot wait for a database and for its
children at once. It polls nothing while nobody waits for news.

All idle workers hear of one new job at the same moment, one gets it, and the others cost it time, on its machine and
in the database. So whoever has come too late for a job lets others go first: it hears of changes some milliseconds
later, until it has got a job again. The one that got the last goes on at once; while it is busy, or gone, another is
that late once.
"""

import logging
import random
import threading
from collections.abc import Callable, Sequence
from typing import Final

from lightwork.errors import StoreError
from lightwork.store.contract import Store

log = logging.getLogger(__name__)

# How late a stop is noticed; the store looks for changes as often anyway.
_WAIT_SECONDS: Final = 0.1
_RETRY_SECONDS: Final = 0.5
# For how long others go first: a claim takes two of these milliseconds on a machine that had been idle.
_COURTESY_SECONDS: Final = 0.003


class StoreWatch:
    """Calls `wake` after each change of the store, until stopped.

    Args:
        store: What is watched.
        wake: Called in a thread of its own.
        queues: Where the store can tell, only what is to be done there is a change; see its contract.
    """

    def __init__(self, store: Store, wake: Callable[[], None], queues: Sequence[str] = ()) -> None:
        self._store = store
        self._queues = queues
        self._wake = wake
        self._has_changed = threading.Event()
        self._seen = -1
        self._own = 0
        # Set by the loop, read by the thread.
        self._is_late = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="lightwork-watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def number(self) -> int:
        """Return a number that differs after changes, and after what is noted here."""
        return self._seen + self._own

    def note_own(self) -> None:
        """Note a change of our own, which a store need not tell: a claim."""
        self._own += 1

    def note_race(self, *, is_lost: bool) -> None:
        """Note that of jobs which were ready others got all, or that some were claimed here."""
        self._is_late = is_lost

    def take_changed(self) -> bool:
        """Whether the store changed since this was asked last."""
        if not self._has_changed.is_set():
            return False
        self._has_changed.clear()
        return True

    def stop(self) -> None:
        """Stop watching; idempotent, safe before start."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                now = self._store.wait_for_change(self._seen, _WAIT_SECONDS, queues=self._queues)
            except StoreError as error:
                log.warning("store_not_watched error=%s", error)
                self._stop.wait(_RETRY_SECONDS)
                continue
            if now != self._seen:
                if self._is_late:
                    self._stop.wait(_COURTESY_SECONDS * random.uniform(0.75, 1.25))
                self._seen = now
                self._has_changed.set()
                self._wake()
