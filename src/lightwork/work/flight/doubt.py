"""Doubt: when a worker asks whether the store says that it holds attempts of which it knows nothing.

An answer may be lost whose claim was made: such jobs would be running for ever, under a worker that lives. That a
connection is gone says nothing of the statement that was sent by it: a server that is slow, or waits
for a lock, may carry it out long after. So it is asked at once, again and again for a while, and now and then in any case.
"""

import logging
from typing import Final
from uuid import UUID

from lightwork.clock import monotonic
from lightwork.store.contract import Store
from lightwork.work.in_flight import InFlight

log = logging.getLogger(__name__)

# After a loss, for how long it is asked so often.
_CLOSE_SECONDS: Final = 30.0
_CLOSE_PAUSE: Final = 1.0
_PAUSE: Final = 30.0


class Doubt:
    """That of one worker at its store; used by its loop only."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._is_close_until = 0.0
        self._asks_at = monotonic() + _PAUSE

    def note_loss(self) -> None:
        """Note that the store was out of reach: whatever was asked of it may come about."""
        now = monotonic()
        self._is_close_until, self._asks_at = now + _CLOSE_SECONDS, now

    def make_sure(self, worker_id: UUID, in_flight: InFlight) -> None:
        """If it is time to ask, have the store release what the worker holds and is not in flight."""
        if monotonic() < self._asks_at:
            return
        others = self._store.release_others(worker_id, held=in_flight.attempts())
        now = monotonic()
        self._asks_at = now + (_CLOSE_PAUSE if now < self._is_close_until else _PAUSE)
        if others:
            log.warning("jobs_released_unseen jobs=%d", others)
