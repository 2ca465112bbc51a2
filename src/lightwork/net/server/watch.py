"""Watch: those who wait for the store to change, and the one thread that waits for them all.

A parked poll is a future in the event loop: it holds neither a thread nor a connection of the database.
The thread waits for the store as long as anybody is parked, and wakes all of them at once. What a
poll waits for is whatever comes first: a change, the end of its time, the end of the server, its
client's going away.

The thread waits for whatever differs from the number that it knows, so who has seen that one is parked without
asking the store, and who is woken is told the next one as it comes from the thread: an idle worker's poll
costs the loop alone, no thread of the calls.

The time may also be over for the whole server: `stop` answers everybody, each with seconds of its own to
stay away for, or they would all come back in the same instant.
"""

import asyncio
import contextlib
import functools
import logging
import random
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeAlias

from lightwork.errors import StoreError
from lightwork.net.wire.about import LONGEST_WAIT, Poll, Polled
from lightwork.store.contract import Store

log = logging.getLogger(__name__)

# How late the thread notices that nobody waits any more.
_WAIT_SECONDS: Final = 0.5
_RETRY_SECONDS: Final = 0.5
LONGEST_BACK_OFF: Final = 5.0

# Of who is parked: its answer, or None: there may be one.
Waiting: TypeAlias = "asyncio.Future[Polled | None]"


class Watch:
    """Parks polls; used in the event loop, but for its own thread.

    Args:
        store: What is watched.
        server: The id of this server.
        number: Asks the store for its number, without holding up the loop.
        but_submits: Jobs that are submitted are no change here; `number` is one of these.
    """

    # Of its thread.
    name = "lightwork-changes"

    def __init__(
        self,
        store: Store,
        server: str,
        number: Callable[[], Awaitable[int]],
        *,
        but_submits: bool = False,
    ) -> None:
        self._store = store
        self._but_submits = but_submits
        self._server = server
        self._number = number
        self._loop = asyncio.get_running_loop()
        # Those who came first stand first.
        self._parked: dict[Waiting, Poll] = {}
        self._is_stopping = self._is_closed = False
        # How often the thread has seen a change, the number that it saw then, and what the store was
        # asked after which of these.
        self._changed = 0
        self._known = -1
        self._asked: tuple[int, asyncio.Future[int]] | None = None
        self._error: StoreError | None = None
        self._wanted = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    @property
    def parked(self) -> int:
        """How many polls are parked."""
        return len(self._parked)

    async def poll(self, poll: Poll, gone: Coroutine[None, None, None]) -> Polled:
        """Return the store's number as soon as it is news.

        Args:
            poll: What was asked.
            gone: Returns when nobody waits for the answer any more.

        Raises:
            StoreError: The store cannot be asked.
        """
        leaving = asyncio.ensure_future(gone)
        try:
            until = self._loop.time() + min(poll.wait, LONGEST_WAIT)
            changed = self._changed
            number = self._known if self._is_watched(poll) else await self._ask()
            while True:
                is_news = poll.server != self._server or poll.seen != number
                left = until - self._loop.time()
                if is_news or left <= 0 or self._is_stopping or leaving.done():
                    return self._polled(number)
                # What was seen while the store was asked wakes nobody who parks after.
                if changed == self._changed:
                    await self._park(poll, leaving, left)
                if self._error is not None:
                    raise self._error
                if changed != self._changed:
                    changed, number = self._changed, self._known
        finally:
            leaving.cancel()

    def stop(self) -> None:
        """Answer all who are parked, and from now on at once."""
        self._is_stopping = True
        self._wake(self._known)

    async def close(self, run: Callable[[Callable[[], None]], Awaitable[None]]) -> None:
        """End the thread; `run` waits for it without holding up the loop."""
        self.stop()
        self._is_closed = True
        self._wanted.set()
        await run(self._thread.join)

    def _is_watched(self, poll: Poll) -> bool:
        """Whether the thread waits for the very news that is asked for."""
        return poll.wait > 0 and (poll.server, poll.seen) == (self._server, self._known)

    async def _ask(self) -> int:
        # All who were woken ask once; but not what was asked before that.
        if self._asked is None or self._asked[0] != self._changed or self._asked[1].done():
            self._asked = self._changed, asyncio.ensure_future(self._number())
        return await asyncio.shield(self._asked[1])

    async def _park(
        self, poll: Poll, leaving: "asyncio.Future[None]", seconds: float
    ) -> Polled | None:
        waiting: Waiting = self._loop.create_future()
        self._parked[waiting] = poll
        self._wanted.set()

        def end(*_: object) -> None:
            if not waiting.done():
                waiting.set_result(self._over(poll))

        # By hand: asyncio.wait costs as much as all else here.
        timer = self._loop.call_later(seconds, end)
        leaving.add_done_callback(end)
        try:
            return await waiting
        finally:
            timer.cancel()
            leaving.remove_done_callback(end)
            del self._parked[waiting]

    def _over(self, _poll: Poll) -> Polled | None:
        """Return what is said to one that is parked when its time is over."""
        return None

    def _polled(self, number: int) -> Polled:
        back_off = random.uniform(0.1, LONGEST_BACK_OFF) if self._is_stopping else 0.0
        return Polled(self._server, number, back_off)

    def _look(self) -> Any:
        """Look what has changed, in the thread; those who are woken hear of it."""

    def _note_news(self, number: int, _seen: Any) -> None:
        self._wake(number)

    def _wake(self, number: int) -> None:
        self._changed += 1
        self._known = number
        for waiting in self._parked:
            if not waiting.done():
                waiting.set_result(None)

    def _run(self) -> None:
        seen = -1
        while not self._is_closed:
            if not self._parked:
                self._wanted.clear()
                # Somebody may have come meanwhile.
                if not self._parked and not self._is_closed:
                    self._wanted.wait()
                continue
            seen = self._wait(seen)

    def _wait(self, seen: int) -> int:
        error: StoreError | None = None
        number, found = seen, None
        try:
            number = self._store.wait_for_change(seen, _WAIT_SECONDS, but_submits=self._but_submits)
            if number != seen or self._error is not None:
                found = self._look()
        except StoreError as raised:
            error = raised
        is_news = number != seen or error is not None or self._error is not None
        self._error = error
        if is_news:
            note: Callable[[], None] = functools.partial(self._note_news, number, found)
            if error is not None:
                note = functools.partial(self._wake, number)
            with contextlib.suppress(RuntimeError):
                # The loop may be closed by now.
                self._loop.call_soon_threadsafe(note)
        if error is not None:
            time.sleep(_RETRY_SECONDS)
        return number
