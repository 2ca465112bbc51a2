"""Answers: of calls that change something, kept for those that ask the same again.

A call has an id; see wire/methods.py. Asked again with it, while the first is under way or after, nothing
is done and the first one's answer comes back: the same jobs of a claim, the same refusals of an ack.

    unknown, and sent for the first time     it is done
    under way                                the second waits for the first
    answered                                 that answer
    answered, and the answer is not kept     StoreUnavailable: it was done, whatever came of it
    sent to another server first             StoreUnavailable: perhaps it was done there

What failed because the database was out of reach is forgotten at once: asked again it may succeed.
Kept are the answers of SECONDS, up to so many bytes; ids alone are kept in greater number.
In the server's event loop alone, so without a lock.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from lightwork.clock import monotonic
from lightwork.net.server.request import Reply
from lightwork.net.wire.failures import Refused

# A client asks again at once, and gives up after a minute.
SECONDS: Final = 120.0
MOST_BYTES: Final = 64 << 20
MOST_CALLS: Final = 100_000

Key = tuple[str, str, str]


@dataclass(slots=True)
class _Kept:
    reply: "asyncio.Future[Reply]"
    body: int
    until: float = float("inf")
    # Of the answer, as long as it is kept.
    size: int = 0
    is_gone: bool = False


class Answers:
    """Those of one server."""

    def __init__(
        self,
        *,
        seconds: float = SECONDS,
        most_bytes: int = MOST_BYTES,
        most_calls: int = MOST_CALLS,
    ) -> None:
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._most_calls = most_calls
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        # Those whose answers are kept, oldest first, and how much that is.
        self._held: OrderedDict[Key, _Kept] = OrderedDict()
        self._bytes = 0

    async def answer(self, key: Key, body: bytes, perform: Callable[[], Awaitable[Reply]]) -> Reply:
        """Return the answer to a call, which `perform` does if nobody has done it.

        Args:
            key: Who calls, what, and the call's id.
            body: What it is called with: the same, whenever it is the same call.
            perform: Does it.

        Raises:
            Refused: The id was used for something else, or its answer is not kept any more.
        """
        self._forget()
        kept = self._kept.get(key)
        if kept is None:
            return await self._perform(key, body, perform)
        if kept.body != hash(body):
            raise Refused(422, "UsageError", "the id of this call was used for another call before")
        if kept.is_gone:
            raise Refused(
                503,
                "StoreUnavailable",
                "this call was done before; its answer is not kept any more",
            )
        # Whoever asks may be gone meanwhile; the call is not ended with it.
        return await asyncio.shield(kept.reply)

    async def _perform(
        self, key: Key, body: bytes, perform: Callable[[], Awaitable[Reply]]
    ) -> Reply:
        kept = self._kept[key] = _Kept(asyncio.ensure_future(perform()), hash(body))
        kept.reply.add_done_callback(lambda reply: self._note(key, kept, reply))
        return await asyncio.shield(kept.reply)

    def _note(self, key: Key, kept: _Kept, done: "asyncio.Future[Reply]") -> None:
        if done.cancelled() or done.exception() is not None or done.result().status >= 500:
            del self._kept[key]
            return
        kept.until, kept.size = monotonic() + self._seconds, len(done.result().body)
        self._kept.move_to_end(key)
        self._held[key] = kept
        self._bytes += kept.size

    def _forget(self) -> None:
        now = monotonic()
        while self._held and (
            self._bytes > self._most_bytes or next(iter(self._held.values())).until <= now
        ):
            _, kept = self._held.popitem(last=False)
            self._bytes -= kept.size
            kept.is_gone = True
            # Its bytes: the id stays.
            kept.reply = _nothing()
        while self._kept and self._is_over(next(iter(self._kept.values())), now):
            self._kept.popitem(last=False)

    def _is_over(self, kept: _Kept, now: float) -> bool:
        return kept.is_gone and (kept.until <= now or len(self._kept) > self._most_calls)


def _nothing() -> "asyncio.Future[Reply]":
    return asyncio.get_running_loop().create_future()
