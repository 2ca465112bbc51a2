"""Lease: until when a worker may act as the owner of its attempts.

The database ends a lease by its own clock at `lease_until`. A worker cannot read
that clock at every step, and may itself be stopped for an hour between two
instructions. So it trusts its lease only for a window on its own clock:

    trusted until  =  when the last successful renewal was *sent*  +  ttl  -  margin

The send time, not the answer's, because the database counts from somewhere in
between; the margin covers clock drift and the time to stop. Outside the window
the worker behaves as if the lease were gone, even if the database still honours
it: it starts nothing, and stops its children. That is safe in both directions:

    worker stopped, lease ended, attempts rescued, worker continues
        → outside its window: stops its children; a write that was already under
          way is refused, because the attempt number or the state has moved on
    database out of reach
        → renewals fail until the window ends; children are stopped before
          anybody else can be given their jobs

A heartbeat that finds the lease ended never revives it: the worker goes on under
a new incarnation with a fresh id.

The heartbeat has a thread of its own, so that no claim or ack delays it, and
lives in a process that runs no user code, so that no task can. A second thread
only watches the clock: a database that neither answers nor fails may hold up the
heartbeat and the worker's loop alike, and the children must be stopped in time.

A worker that holds nothing may *rest*, where its store renews the lease by the way, as it waits for changes:

    working ── holds nothing, and the store renews ──▶ resting: no heartbeat, no end of the window
       ▲                                                  │
       │      renewed by itself: nothing is by the way    │ is about to claim: only inside of the window; the
       └──────────────────────────────────────────────────┘ window is over? renewed first, or the lease is lost

Outside of its window it starts and records nothing: it has nothing, and claims only when it works.
"""

import logging
import random
import threading
from collections.abc import Callable
from typing import Final
from uuid import UUID

from lightwork.clock import monotonic
from lightwork.errors import StoreError
from lightwork.store.contract import Store

log = logging.getLogger(__name__)

# Share of the ttl kept in reserve, and between two heartbeats.
MARGIN: Final = 0.2
_BEAT: Final = 1 / 3
# Between two looks whether the store still renews it; costs nothing.
_LOOK: Final = 1 / 10
# Of the window, when work begins, without another renewal first; and how late its end is seen after a rest.
_ENOUGH: Final = 1 / 10
_GUARD: Final = 1 / 50


class Lease:
    """The lease of one incarnation, renewed by a thread until it is lost or given up.

    Args:
        store: Where it is renewed.
        worker_id: The incarnation.
        ttl: Seconds for which a renewal holds.
        on_lost: Called in a thread of the lease as soon as the worker may no longer act.
    """

    def __init__(
        self, store: Store, worker_id: UUID, ttl: float, *, on_lost: Callable[[], None]
    ) -> None:
        self._store = store
        self._worker_id = worker_id
        self._ttl = ttl
        self._on_lost = on_lost
        self._stop = threading.Event()
        self._lost = threading.Event()
        # Guards that _lost is set once, and what belongs to rest.
        self._lock = threading.Lock()
        self._trusted_until = 0.0
        self._is_idle = self._is_resting = False
        # A renewal is due now.
        self._due = threading.Event()
        self._threads = [
            threading.Thread(target=self._beat, name="lightwork-heartbeat", daemon=True),
            threading.Thread(target=self._guard, name="lightwork-lease", daemon=True),
        ]

    def start(self, sent_at: float) -> None:
        """Begin to renew a lease that was granted by a request sent at this instant."""
        self._trusted_until = trusted_until(sent_at, self._ttl)
        self.rest()
        for thread in self._threads:
            thread.start()

    def is_trusted(self) -> bool:
        """Whether the worker may act: call before anything is started or recorded."""
        is_inside = self._is_resting or monotonic() < self._trusted_until
        return not self._lost.is_set() and is_inside

    def rest(self) -> None:
        """Note that the worker holds nothing, and will not without `work`."""
        if not self._is_idle:
            self._is_idle = True
            # The next time that it waits may renew.
            self._store.renewed_by_waiting(self._worker_id, lease=self._ttl)

    def work(self) -> bool:
        """Note that the worker is about to hold something; return whether it may.

        Raises:
            StoreUnavailable: It has rested, and the lease could not be renewed.
        """
        with self._lock:
            self._is_idle = False
            if not self._is_resting:
                return self.is_trusted()
            if self._is_renewed_by_waiting() and self._seconds_left() > self._ttl * _ENOUGH:
                self._is_resting = False
                self._due.set()
                return not self._lost.is_set()
        # Once: who is about to work has others to look after, should the store be out of reach.
        sent_at = monotonic()
        if not self._store.renew(self._worker_id, lease=self._ttl):
            self._lose()
            return False
        with self._lock:
            self._trusted_until = max(self._trusted_until, trusted_until(sent_at, self._ttl))
            self._is_resting = False
        return self.is_trusted()

    def give_up(self) -> None:
        """Stop renewing, without waiting for a renewal that may hang; idempotent."""
        self._stop.set()
        self._due.set()

    def stop(self) -> None:
        """Stop renewing; when this returns nothing uses the store. Idempotent."""
        self.give_up()
        for thread in self._threads:
            if thread.ident is not None and thread is not threading.current_thread():
                thread.join()

    def _beat(self) -> None:
        while not self._stop.is_set():
            part = _LOOK if self._is_resting else _BEAT
            self._due.wait(self._ttl * part * random.uniform(0.8, 1.0))
            self._due.clear()
            if self._stop.is_set() or self._goes_on_resting():
                continue
            if not self._renew():
                self._lose()
                return
            with self._lock:
                # Not by the way: from now on each renewal has to come in time.
                self._is_resting = False

    def _goes_on_resting(self) -> bool:
        with self._lock:
            if not (self._is_idle and self._is_renewed_by_waiting()):
                return False
            self._is_resting = True
            return True

    def _is_renewed_by_waiting(self) -> bool:
        """Whether the store renews it by the way; what is known of that opens the window."""
        sent_at = self._store.renewed_by_waiting(self._worker_id, lease=self._ttl)
        if sent_at is None:
            return False
        self._trusted_until = max(self._trusted_until, trusted_until(sent_at, self._ttl))
        return True

    def _seconds_left(self) -> float:
        return self._trusted_until - monotonic()

    def _renew(self) -> bool:
        """Renew once, trying again while that can help; False: the lease is lost."""
        while not self._stop.is_set():
            sent_at = monotonic()
            try:
                if not self._store.renew(self._worker_id, lease=self._ttl):
                    if not self._stop.is_set():
                        log.warning("lease_lost worker=%s", self._worker_id)
                    return False
            except StoreError as error:
                if not self.is_trusted():
                    log.warning("lease_not_renewed worker=%s error=%s", self._worker_id, error)
                    return False
                self._stop.wait(min(self._ttl / 20, 1.0))
            else:
                if not self.is_trusted():
                    # It came too late: others may have been told that it is over.
                    log.warning("lease_late worker=%s", self._worker_id)
                    return False
                self._trusted_until = max(self._trusted_until, trusted_until(sent_at, self._ttl))
                return True
        return True

    def _guard(self) -> None:
        while not self._stop.wait(max(self._trusted_until - monotonic(), 0.0)):
            if self._is_resting:
                self._stop.wait(self._ttl * _GUARD)
            elif monotonic() >= self._trusted_until:
                self._lose()
                return

    def _lose(self) -> None:
        with self._lock:
            if self._lost.is_set() or self._stop.is_set():
                return
            self._lost.set()
        self._on_lost()


def trusted_until(sent_at: float, ttl: float) -> float:
    """Return the end of the window that a renewal sent at this instant opens."""
    return sent_at + ttl * (1 - MARGIN)
