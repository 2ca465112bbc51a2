"""Server's upkeep: one thread that does for a store what else each of its workers would do over HTTP.

The same Upkeep as a worker's, with the server's own store, so a look costs no request:

    start ──▶ do what is due ──▶ sleep until the next is ──▶ ... ──▶ stop
                  │ StoreError, or anything else
                  └──▶ say so, wait, go on: nobody else would do it

It keeps nothing: one that is killed has left whole transactions, and the next one looks at the same rows.
Several servers of one store, and workers that use the database itself, do it beside each other, as workers do.
"""

import logging
import threading
import uuid
from typing import Final

from lightwork.clock import monotonic
from lightwork.errors import StoreError
from lightwork.model import Retention
from lightwork.store.contract import Store
from lightwork.work.incarnation import WorkerSettings
from lightwork.work.news.counting import Counting
from lightwork.work.upkeep import Upkeep

log = logging.getLogger(__name__)

# The shortest that a worker may have: whatever it has, its jobs are rescued no later than by its like. Seven
# looks a second, of 0.45 ms in SQLite.
_SHORTEST_LEASE: Final = 0.5
_RETRY_SECONDS: Final = 0.5
# Bounded: a clock that was wrong about the next instant is found out then.
_LONGEST_SLEEP: Final = 1.0


class ServerUpkeep:
    """Does the upkeep of one store until stopped.

    Args:
        store: The store; it stays open.
        keep: How long jobs are kept that have ended; of several who say it the one that keeps least decides.

    Raises:
        UsageError: It would not keep them for long enough.
    """

    def __init__(self, store: Store, keep: Retention) -> None:
        settings = WorkerSettings(lease=_SHORTEST_LEASE, keep=keep)
        self._upkeep = Upkeep(store, settings.lease, settings.retention)
        self._counting = Counting(store)
        # Whose rows of the history these are.
        self._id = uuid.uuid4()
        self._stop = threading.Event()
        self._has_told = False
        self._thread = threading.Thread(target=self._run, name="lightwork-upkeep", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Return when nothing is done any more; idempotent, safe before start.

        What the store is asked just then is waited for; see Store.hurry.
        """
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._stop.wait(self._turn())

    def _turn(self) -> float:
        """Do what is due; return for how long to sleep."""
        try:
            self._counting.rescued(self._upkeep.do_due())
            self._counting.send_due(self._id)
        except StoreError as error:
            if not self._stop.is_set():
                log.warning("upkeep_not_done error=%s", error)
            return _RETRY_SECONDS
        except Exception as error:
            # Once with its traceback: it may come twice a second from now on.
            log.warning("upkeep_not_done error=%s", error, exc_info=not self._has_told)
            self._has_told = True
            return _RETRY_SECONDS
        return min(max(self._upkeep.next_at() - monotonic(), 0.0), _LONGEST_SLEEP)
