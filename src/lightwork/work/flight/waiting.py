"""Waiting: which attempts of a worker only wait for other jobs, and how many slots that lends.

Who waits says when it begins and when it goes on: its slot is lent in between. Who asks again and again
whether a job is done (`future.done()` in a loop) may as well be at work between two questions, so its slot
is lent only where that may be all that keeps everybody waiting:

    every slot is taken by such a one    else one of them will be free by itself
    it has asked within ASKED_SECONDS    it may have gone on to something else

Several waits of one attempt, in its coroutines or threads, lend one slot.
"""

import threading
from collections import Counter
from collections.abc import Container
from typing import Final

from lightwork.pool.call.current import ASK_SECONDS, ASKS, BEGINS

ASKED_SECONDS: Final = 3 * ASK_SECONDS


class Waiting:
    """Waits of attempts, by the store's numbers of their jobs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards both
        self._waits: Counter[int] = Counter()
        self._asked_at: dict[int, float] = {}

    def note(self, seq: int, what: float, now: float) -> None:
        """Note what an attempt says of its waiting; see pool/call/current.py. Any thread may call this."""
        with self._lock:
            if what == ASKS:
                self._asked_at[seq] = now
            else:
                self._waits[seq] += 1 if what == BEGINS else -1

    def lent(self, slots: int, held: Container[int], now: float) -> int:
        """Return how many slots are lent.

        Args:
            slots: How many there are.
            held: The attempts that have not ended. Of others nothing is kept: a thread that an
                attempt has left may wait for ever.
            now: By the clock that `note` was told.
        """
        if not self._waits and not self._asked_at:
            return 0
        with self._lock:
            for seq, waits in list(self._waits.items()):
                if waits <= 0 or seq not in held:
                    del self._waits[seq]
            for seq, at in list(self._asked_at.items()):
                if now - at > ASKED_SECONDS or seq not in held:
                    del self._asked_at[seq]
            asking = len(self._asked_at.keys() - self._waits.keys())
            return len(self._waits) + (asking if asking >= slots else 0)
