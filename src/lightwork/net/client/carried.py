"""Carried: leases of workers that have nothing to do, renewed by the polls that they wait with.

A worker that holds no job needs no connection of its own to say that it lives: each of its polls says so as it
comes, and the server renews the lease then. A poll is parked for two thirds of the lease at most, so who is gone
is found out in the same time as by heartbeats, however its connection ended.

That a lease was renewed is told by the answer, and it counts from when the poll was sent. So while one is parked,
the worker does not know how the last renewal went, and need not: it holds nothing. As soon as a
poll fails, is overdue or says that a lease is over, nothing is carried, and the worker renews by itself as ever.

`_lock` guards the fields.
"""

import threading
import uuid
from collections.abc import Collection, Iterable
from typing import Final

from lightwork.clock import monotonic
from lightwork.net.wire.about import LONGEST_WAIT

# Of the lease; the rest is for the next poll to come, and to be sent again.
PART_OF_LEASE: Final = 2 / 3
# Shorter ones are renewed by heartbeats: polls would come as often.
LEAST_LEASE: Final = 6.0
# After an answer, until the next poll is on its way.
_BETWEEN_SECONDS: Final = 1.0


class Carried:
    """What the polls of one client carry; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Those that rest, with their leases, and until when they have asked for it.
        self._resting: dict[uuid.UUID, tuple[float, float]] = {}
        # When what was renewed had been sent.
        self._sent_at: dict[uuid.UUID, float] = {}
        # Whose leases are over, which the next heartbeat of each tells.
        self._lost: set[uuid.UUID] = set()
        # For whom the poll that is under way renews, and until when its answer is to be there.
        self._parked: frozenset[uuid.UUID] = frozenset()
        self._due_at = float("-inf")

    def ask(self, worker_id: uuid.UUID, lease: float) -> float | None:
        """Have a lease carried; see Store.renewed_by_waiting."""
        if lease < LEAST_LEASE:
            return None
        now = monotonic()
        with self._lock:
            if worker_id in self._lost:
                return None
            self._resting[worker_id] = lease, now + lease
            if worker_id not in self._parked or now > self._due_at:
                return None
            return self._sent_at.get(worker_id, float("-inf"))

    def forget(self, worker_id: uuid.UUID) -> None:
        """Carry nothing for this worker any more."""
        with self._lock:
            self._resting.pop(worker_id, None)
            self._sent_at.pop(worker_id, None)
            self._lost.discard(worker_id)

    def begin(self, workers: Collection[uuid.UUID]) -> float:
        """Return by how many seconds a poll for these is to renew their leases; 0: not at all."""
        now = monotonic()
        with self._lock:
            resting = {one: self._resting.get(one, (0.0, 0.0)) for one in workers}
            leases = {lease for lease, until in resting.values() if now < until}
            # Of several workers with other leases, or that do not all rest, each renews its own.
            is_carried = len(leases) == 1 and all(now < until for _, until in resting.values())
            lease = leases.pop() if is_carried else 0.0
            self._parked = frozenset(workers) if is_carried else frozenset()
            self._due_at = now + longest_wait(lease) + _BETWEEN_SECONDS
            return lease

    def end(self, sent_at: float, renewed: Iterable[uuid.UUID], lost: Iterable[uuid.UUID]) -> None:
        """Note what an answer says of a poll that was sent then."""
        with self._lock:
            self._sent_at.update(dict.fromkeys(renewed, sent_at))
            for worker in lost:
                self._lost.add(worker)
                self._resting.pop(worker, None)
            self._due_at = monotonic() + _BETWEEN_SECONDS

    def fail(self) -> None:
        """Note that there is no answer."""
        with self._lock:
            self._parked = frozenset()


def longest_wait(lease: float) -> float:
    """Return for how long a poll is parked that renews a lease; 0: that renews none."""
    return min(LONGEST_WAIT, lease * PART_OF_LEASE) if lease else LONGEST_WAIT
