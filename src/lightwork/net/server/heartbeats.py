"""Heartbeats: renewals of many workers, gathered into one call of the store.

A transaction and a thread for each renewal is most of what an idle worker costs. Nobody waits for the
answer: a worker counts from when it has sent, and its next one is due a third of a lease later. So a renewal
waits for others, a fiftieth of its lease and LONGEST at most, and those of one worker that come twice
meanwhile are one. In the server's event loop alone, so without a lock.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Final

from lightwork.store.contract import Store

LONGEST: Final = 0.25
_PART_OF_LEASE: Final = 1 / 50

Renew = Callable[[Callable[[], set[uuid.UUID]]], Awaitable[set[uuid.UUID]]]


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
        self._next: dict[float, tuple[set[uuid.UUID], asyncio.Task[set[uuid.UUID]]]] = {}

    async def renew(self, worker: uuid.UUID, lease: float) -> bool:
        """Extend a lease that has not run out, together with others.

        Raises:
            Error: What the store says.
        """
        if lease not in self._next:
            self._next[lease] = set(), asyncio.ensure_future(self._renew(lease))
        workers, renewed = self._next[lease]
        workers.add(worker)
        # Whoever asks may be gone meanwhile; the others are not.
        return worker in await asyncio.shield(renewed)

    async def _renew(self, lease: float) -> set[uuid.UUID]:
        # In this order: what is no number at all waits for nothing.
        await asyncio.sleep(min(LONGEST, max(0.0, lease * _PART_OF_LEASE)))
        workers, _ = self._next.pop(lease)
        return await self._run(lambda: self._store.renew_all(workers, lease=lease))
