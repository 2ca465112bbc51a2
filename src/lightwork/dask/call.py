"""Call: one call on its way to a Dask cluster.

    waiting ──begin──▶ sent ──outcome──▶ over
       ▲  │              │
       │  └──withdraw────┴─▶ over (cancelled)
       └── another attempt ◀─ sent

`_lock` guards where it is: the flow's thread moves it, and anybody may withdraw it.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from lightwork.pool.call.future import CancelMode, Future, end_cancelled, release
from lightwork.pool.call.options import CallOptions

T = TypeVar("T")


class Owner(Protocol):
    """What a call asks of the flow that it is in."""

    def cancel_sent(self, call: "DaskCall", mode: CancelMode) -> bool:
        """Cancel it on whatever Dask worker it is; return whether it is over there."""


class DaskFuture(Future[T], Generic[T]):
    """Of a call that may be on another machine."""

    async def cancel_async(self, *, running: CancelMode = "no") -> bool:
        """Cancel it without holding up the event loop: to kill it, workers are asked."""
        return await asyncio.to_thread(self.cancel, running=running)


class DaskCall:
    """One call.

    Args:
        seq: Its number, unique in the executor.
        packed: Function, and arguments, as bytes.
        options: How it is run.
        name: Of the function, for people.
        is_async: Of a coroutine function.
        is_idempotent: Whether Dask may run it again.
        owner: The flow.
    """

    def __init__(
        self,
        seq: int,
        packed: tuple[bytes, bytes],
        options: CallOptions,
        *,
        name: str,
        is_async: bool,
        is_idempotent: bool,
        owner: Owner,
    ) -> None:
        self.seq = seq
        self.function, self.arguments = packed
        self.options = options
        self.name = name
        self.is_async = is_async
        self.is_idempotent = is_idempotent
        self._owner = owner
        self._lock = threading.Lock()
        self._is_sent = self._is_over = False
        self.has_told_begin = False
        self.future: DaskFuture[Any] = DaskFuture(self)

    @property
    def size(self) -> int:
        """Bytes of its arguments."""
        return len(self.arguments)

    def begin(self) -> bool:
        """Note that it is sent; False: it was cancelled, and must not be."""
        with self._lock:
            if not self._is_over:
                self._is_sent = True
            return self._is_sent and not self._is_over

    def wait_again(self, options: CallOptions) -> None:
        """Note that it waits for another attempt."""
        with self._lock:
            self._is_sent = False
        self.options = options
        self.has_told_begin = False

    def end(self, end: Callable[[Future[Any]], object]) -> None:
        """End its future, unless it was cancelled meanwhile."""
        if self._take_end():
            try:
                end(self.future)
            finally:
                release(self.future)

    def _take_end(self) -> bool:
        with self._lock:
            was_over, self._is_over = self._is_over, True
        # A kept future keeps the call, and arguments may be large.
        if not was_over:
            self.arguments = b""
        return not was_over

    # --- for its future

    def withdraw(self, mode: CancelMode) -> bool:
        """Cancel it; see Future.cancel."""
        with self._lock:
            is_sent = self._is_sent
            if not is_sent:
                was_over, self._is_over = self._is_over, True
        if not is_sent:
            if not was_over:
                end_cancelled(self.future)
            return self.future.cancelled()
        if mode == "no" or not self._owner.cancel_sent(self, mode):
            return False
        if self._take_end():
            end_cancelled(self.future)
        return self.future.cancelled()

    def is_running(self) -> bool:
        """Whether it was sent."""
        return self._is_sent

    def has_begun(self) -> bool:
        """Whether the function is known to have begun."""
        return self._is_sent and self.has_told_begin
