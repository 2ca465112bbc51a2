"""Commits: sees in a thread of its own when a transaction has let go of its connection.

SQLAlchemy tells that a commit begins, and nobody when it has ended. Mostly that is a fraction of
a millisecond later; a look costs nothing but a look at an attribute.
"""

import threading
from queue import Empty, SimpleQueue
from typing import Final

from lightwork.durable.transaction.open_jobs import OpenJobs
from lightwork.locks.uninterrupted import Uninterrupted

_SHORTEST_PAUSE: Final = 0.0005
_LONGEST_PAUSE: Final = 0.5


class Commits:
    """Settles what is being committed; one for each executor."""

    def __init__(self) -> None:
        # None: the last word.
        self._begun: SimpleQueue[OpenJobs | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="lightwork-commits", daemon=True)
        self._lock = threading.Lock()  # guards that it is started once

    def start(self) -> None:
        """Begin to look; idempotent."""
        with Uninterrupted(), self._lock:
            if self._thread.ident is None:
                self._thread.start()

    def watch(self, jobs: OpenJobs) -> None:
        """Settle these soon; returns at once."""
        self._begun.put(jobs)

    def close(self) -> None:
        """End the thread; what still commits then is settled by whoever waits for it."""
        self._begun.put(None)
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        waiting: list[OpenJobs] = []
        pause = _SHORTEST_PAUSE
        while True:
            try:
                begun = self._begun.get(timeout=pause if waiting else None)
            except Empty:
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                if begun is None:
                    return
                waiting.append(begun)
                pause = _SHORTEST_PAUSE
                del begun
            waiting = [one for one in waiting if not one.settle()]
