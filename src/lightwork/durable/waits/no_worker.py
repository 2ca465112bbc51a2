"""No worker: what whoever waits for a job is told when nobody works on it.

Asked every PATIENCE seconds in the thread that waits, so the warning points at the
line that waits. Each reason is told once by an executor; a job that the worker of
this program runs never asks.
"""

import sys
import threading
import warnings
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from lightwork.clock import monotonic
from lightwork.errors import NoWorkerWarning, StoreError
from lightwork.model import State
from lightwork.store.contract import Store
from lightwork.work.unserved import PATIENCE, say_unserved, why_unserved

# Not where somebody waits, but where the waiting is done for them.
_BETWEEN: Final = ("lightwork.", "concurrent.", "asyncio.")


class Patience:
    """Tells, once for each reason, why nobody runs what is waited for; any thread may ask."""

    def __init__(self, store: Store, *, told: Iterable[str] = ()) -> None:
        self._store = store
        self._lock = threading.Lock()
        # Guarded by _lock.
        self._told = set(told)
        self._next_at = 0.0

    def tell(self, job_id: UUID) -> None:
        """Warn if there is a reason for which nobody will run the job."""
        if text := self.news(job_id):
            warnings.warn(text, NoWorkerWarning, stacklevel=_frames_between())

    def news(self, job_id: UUID) -> str:
        """Return the reason in words, and "" where there is none or it was told."""
        with self._lock:
            # A thousand threads may wait for a thousand jobs.
            if monotonic() < self._next_at:
                return ""
            self._next_at = monotonic() + PATIENCE / 2
        try:
            return self._reason(job_id)
        except StoreError:
            # Whoever waits hears of it in another way, or goes on when it is back.
            return ""

    def _reason(self, job_id: UUID) -> str:
        view = self._store.job(job_id)
        if view is None or view.state is not State.READY:
            return ""
        summary = self._store.summary()
        reason = why_unserved(view.lane, self._store.workers(), summary.paused)
        if not reason:
            return ""
        # "no worker is alive" is one reason for all tasks, "knows this task" one for each.
        key = f"{reason} {view.task}" if "task" in reason else reason
        with self._lock:
            if key in self._told:
                return ""
            self._told.add(key)
        ready = {lane.lane: lane.ready for lane in summary.lanes}
        return say_unserved(view.lane, ready.get(view.lane, 1), reason, self._store.safe_url)


def _frames_between() -> int:
    """Return how many frames lie between the caller and the line of the user that waits."""
    count, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_BETWEEN):
        count, frame = count + 1, frame.f_back
    return count
