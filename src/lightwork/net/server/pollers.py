"""Pollers: when each worker has last asked whether there is work, beside its heartbeats.

A heartbeat proves that a worker lives, not that it works: its connection for polls may be dead, or its
thread. Such a worker holds its lease and does nothing, and everything looks well. The server alone can
see it, and says so where workers are shown. Of one that it has only heard renewing, as after a restart
of the server, it counts from the first renewal; those that use the database itself renew elsewhere.
"""

import dataclasses
import uuid
from collections.abc import Iterable, Sequence
from typing import Final

from lightwork.clock import monotonic
from lightwork.net.wire.about import LONGEST_WAIT
from lightwork.store.views import NOT_POLLING, WorkerView

# A worker asks at least every LONGEST_WAIT, and comes back within a second or the back-off.
SILENT_SECONDS: Final = 2 * LONGEST_WAIT + 10.0

_MOST: Final = 10_000
_LONG_AGO: Final = 3600.0


class Pollers:
    """The workers that use one server; any thread may ask."""

    def __init__(self, silent: float = SILENT_SECONDS) -> None:
        self._silent = silent
        self._last: dict[uuid.UUID, float] = {}

    def note(self, workers: Iterable[uuid.UUID]) -> None:
        """These have asked now."""
        now = monotonic()
        for worker in workers:
            self._last[worker] = now
        self._drop_old(now)

    def note_alive(self, worker: uuid.UUID) -> None:
        """It has renewed its lease now; if nobody has heard of it before, its silence begins."""
        now = monotonic()
        self._last.setdefault(worker, now)
        self._drop_old(now)

    def forget(self, worker: uuid.UUID) -> None:
        """It has signed off."""
        self._last.pop(worker, None)

    def shown(self, views: Sequence[WorkerView]) -> list[WorkerView]:
        """Return the workers, with those marked that live and do not ask."""
        now = monotonic()
        last = self._last.copy()
        return [
            dataclasses.replace(view, state=NOT_POLLING)
            if view.claims and now - last.get(view.id, now) > self._silent
            else view
            for view in views
        ]

    def _drop_old(self, now: float) -> None:
        if len(self._last) > _MOST:
            # Of those that died nobody says so here.
            kept = {worker: at for worker, at in self._last.items() if now - at < _LONG_AGO}
            self._last = kept
