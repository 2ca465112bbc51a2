"""Heartbeats: renewals of many workers, gathered into one call of the store.

A transaction and a thread for each renewal is most of what an idle worker costs. Nobody waits for the
answer: a worker counts from when it has sent, and its next one is due a third of a lease later. So a renewal
waits for others, a fiftieth of its lease and LONGEST at most, and those of one worker that come twice
meanwhile are one. In the server's event loop alone, so without a lock.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Final

from lightwork.store.contract import Store

LONGEST: Final = 0.25
_PART_OF_LEASE: Final = 1 / 50

Renew = Callable[[Callable[[], set[uuid.UUID]]], Awaitable[set[uuid.UUID]]]


@dataclass(slots=True)
class _Gathered:
    workers: set[uuid.UUID]
    waiting: list[asyncio.Future[set[uuid.UUID]]]
    # The loop alone would not keep it.
    task: asyncio.Task[None] | None = None


class Heartbeats:
    """Those of one server.

    Args:
        store: Where leases are renewed.
        run: Runs a call of the store, without holding up the loop.
    """

    def __init__(self, store: Store, run: Renew) -> None:
        self._store = store
        self._run = run
        # By lease: one that makes no sense is nobody else's error.
        self._next: dict[float, _Gathered] = {}

    async def renew(self, worker: uuid.UUID, lease: float) -> bool:
        """Extend a lease that has not run out, together with others.

        Raises:
            Error: What the store says.
        """
        return worker in await self.begin([worker], lease)

    def begin(self, workers: Collection[uuid.UUID], lease: float) -> asyncio.Future[set[uuid.UUID]]:
        """Extend the leases that have not run out, together with others'; return whose, and some of others.

        Raises:
            Error: What the store says.
        """
        gathered = self._next.get(lease)
        if gathered is None:
            gathered = self._next[lease] = _Gathered(set(), [])
            gathered.task = asyncio.ensure_future(self._renew(lease, gathered))
        gathered.workers.update(workers)
        # One for each, which costs less than to shield the task: who asks may be gone meanwhile, the
        # others are not.
        waiting: asyncio.Future[set[uuid.UUID]] = asyncio.get_running_loop().create_future()
        gathered.waiting.append(waiting)
        return waiting

    async def _renew(self, lease: float, gathered: "_Gathered") -> None:
        error: BaseException | None = None
        renewed: set[uuid.UUID] = set()
        try:
            # In this order: what is no number at all waits for nothing.
            await asyncio.sleep(min(LONGEST, max(0.0, lease * _PART_OF_LEASE)))
            del self._next[lease]
            workers = gathered.workers
            renewed = await self._run(lambda: self._store.renew_all(workers, lease=lease))
        except BaseException as raised:
            error = raised
            self._next = {key: one for key, one in self._next.items() if one is not gathered}
        for waiting in gathered.waiting:
            if waiting.done():
                continue
            if error is None:
                waiting.set_result(renewed)
            elif isinstance(error, Exception):
                waiting.set_exception(error)
            else:
                waiting.cancel()
