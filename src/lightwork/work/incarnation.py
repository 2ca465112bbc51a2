"""Incarnation: one life of a worker: its id, its lease, its pool, and what is in flight there.

A lease that is lost never comes back, and neither does the id. The worker goes on under the
next incarnation, with a pool of its own: the threads of a lease stop the children of that
lease only, and the loop may have gone on meanwhile.
"""

import dataclasses
import os
import secrets
import socket
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from lightwork.clock import monotonic
from lightwork.errors import UsageError
from lightwork.lifecycle import AttemptEnd
from lightwork.model import DEFAULT_QUEUE, DEFAULT_RETENTION, Attempt, Retention, WorkerInfo
from lightwork.numeric import as_number
from lightwork.pool.executor.executor import Executor
from lightwork.store.contract import Store
from lightwork.work.flight.ending import Stopped, end_of_stopped
from lightwork.work.in_flight import InFlight
from lightwork.work.lease import Lease
from lightwork.work.middleware.around import Middleware

LEAST_KEPT: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """How a worker behaves.

    Attributes:
        queues: Names of the queues it claims from, in this order.
        name: How people call it; default: host and pid.
        lease: Seconds without a heartbeat after which others take its jobs over.
        grace: Seconds that running jobs are given to finish when it stops.
        burst: End when nothing is ready and nothing runs.
        weights: How many jobs each queue gets of those that are claimed, beside the others; empty:
            the first queue that has jobs gets all.
        keep: How long it keeps finished jobs, of the whole store.
        middleware: Entered around each attempt; see middleware/around.py.
    """

    queues: tuple[str, ...] = (DEFAULT_QUEUE,)
    weights: Mapping[str, float] = field(default_factory=dict)
    name: str = ""
    lease: float = 15.0
    grace: float = 25.0
    burst: bool = False
    keep: Retention | float = DEFAULT_RETENTION
    middleware: tuple[Middleware, ...] = ()

    def __post_init__(self) -> None:
        if not all(self.queues) or not self.queues:
            raise UsageError(f"queues must be names, at least one; seen: {self.queues!r}")
        for queue, weight in self.weights.items():
            found = as_number(weight)
            if found is None or not 0 < found < 1e6:
                raise UsageError(
                    f"the weight of queue {queue!r} must be a number above 0, below 1e6; "
                    f"seen: {weight!r:.100}"
                )
        if not 0.5 <= self.lease <= 3600:
            raise UsageError(f"lease must be from 0.5 to 3600 seconds; seen: {self.lease!r}")
        if not 0 <= self.grace <= 86400:
            raise UsageError(f"grace must be from 0 to 86400 seconds; seen: {self.grace!r}")
        if not all(age >= LEAST_KEPT for age in dataclasses.astuple(self.retention)):
            raise UsageError(
                f"keep must be {LEAST_KEPT:g} seconds or more, for whoever waits may have to read "
                f"the outcome; seen: {self.keep}"
            )

    @property
    def retention(self) -> Retention:
        """How long jobs are kept that ended in each state."""
        return self.keep if isinstance(self.keep, Retention) else Retention.all(self.keep)

    def shown_name(self) -> str:
        """Return the name, or the default one."""
        return self.name or f"{socket.gethostname()}-{os.getpid()}"


class Incarnation:
    """Opens a pool, registers a worker anew, and begins to renew its lease.

    Args:
        store: Where it is registered.
        settings: Of the worker.
        make_executor: Makes the pool.
        slots: How many calls the pool runs at a time.
        tasks: Names of the tasks that are known, as others are told them.
        wake: Called when there is something to do for the loop.
    """

    def __init__(
        self,
        store: Store,
        settings: WorkerSettings,
        make_executor: Callable[[], Executor],
        *,
        slots: int,
        tasks: tuple[str, ...],
        wake: Callable[[], None],
    ) -> None:
        self._wake = wake
        info = WorkerInfo(
            id=uuid.UUID(bytes=secrets.token_bytes(16)),
            name=settings.shown_name(),
            host=socket.gethostname(),
            pid=os.getpid(),
            slots=slots,
            queues=settings.queues,
            tasks=tasks,
        )
        self.id = info.id
        self.executor = make_executor()
        try:
            # Before the lease begins: to open a pool takes a fifth of a short one.
            self.executor.begin()
            sent_at = monotonic()
            store.register(info, lease=settings.lease, is_here=True)
        except BaseException:
            self.executor.shutdown(cancel_futures=True)
            raise
        self.in_flight = InFlight(self.executor, wake=wake, worker_id=self.id)
        self._lease = Lease(store, self.id, settings.lease, on_lost=self._stop_children)
        self._lease.start(sent_at)

    def is_trusted(self) -> bool:
        """Whether the worker may act: ask before anything is started or recorded."""
        return self._lease.is_trusted()

    def rest(self) -> None:
        """Note that it holds nothing; see lease.py."""
        self._lease.rest()

    def work(self) -> bool:
        """Whether it may claim."""
        return self._lease.work()

    def give_up(self) -> list[tuple[Attempt, AttemptEnd]]:
        """Stop renewing, end the children; return how what was in flight ends.

        The jobs are not to blame for that. Whoever has rescued them meanwhile was faster, and
        then the ends change nothing: the attempt number or the worker is another.
        """
        self._lease.give_up()
        self.executor.kill_workers()
        left, self.in_flight = (
            self.in_flight,
            InFlight(self.executor, wake=self._wake, worker_id=self.id),
        )
        return [(one, end_of_stopped(one, Stopped.INTERRUPTED)) for one in left.attempts()]

    def end(self) -> None:
        """End the children; when this returns nothing renews the lease any more."""
        self.executor.kill_workers()
        self._lease.stop()

    def _stop_children(self) -> None:
        # At once and in the lease's thread: the loop may be waiting for the database.
        self.executor.kill_workers()
        self._wake()
