"""Async wakeup: lets a coroutine wait for what threads do.

Apart from results.py because asyncio takes 50 ms to import, which `for` does not need.
"""

import asyncio
from contextlib import suppress
from time import monotonic
from typing import Final

# So long results that are there already may keep an event loop from doing other things.
_TURN_SECONDS: Final = 0.005


class AsyncWakeup:
    """Lets a coroutine wait for what threads do."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        # Rung and not heard: one call into the event loop is enough.
        self._is_rung = False
        self._turn_began = monotonic()

    def ring(self, _: object = None) -> None:
        """End the wait; any thread may call this."""
        if not self._is_rung:
            self._is_rung = True
            with suppress(RuntimeError):  # The loop is closed: nobody waits any more.
                self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float | None = None) -> None:
        """Return when it was rung since the last time.

        Raises:
            TimeoutError: It was not.
        """
        async with asyncio.timeout(seconds):
            await self._event.wait()
        # First: who rings from now on has done more than will be seen now.
        self._event.clear()
        self._is_rung = False
        self._turn_began = monotonic()

    async def give_way(self) -> None:
        """Let the event loop do other things, if it is time to."""
        if monotonic() - self._turn_began > _TURN_SECONDS:
            await asyncio.sleep(0)
            self._turn_began = monotonic()
