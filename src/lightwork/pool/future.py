"""Future: the caller's handle on a coming outcome, standard library semantics.

A real subclass of `concurrent.futures.Future`, because `wait()` and
`as_completed()` reach into its internals. Adds only that it can be awaited and
that a *running* call can be asked or made to end.
"""

import asyncio
import logging
from collections.abc import Callable, Generator
from concurrent import futures
from concurrent.futures._base import CANCELLED_AND_NOTIFIED, FINISHED, PENDING
from typing import Any, Final, Generic, Literal, Protocol, TypeVar

from lightwork.pool.wakening import Wakening

T = TypeVar("T")

CancelMode = Literal["no", "ask", "kill"]

log = logging.getLogger(__name__)

# Whether the standard library's future is made as we know it, down to its attributes.
_IS_KNOWN: Final = set(vars(futures.Future())) == {
    "_condition",
    "_done_callbacks",
    "_exception",
    "_result",
    "_state",
    "_waiters",
}


class Withdrawable(Protocol):
    """The call behind a future, in a pool that can take calls back."""

    def withdraw(self, mode: CancelMode) -> bool:
        """Take the call back, if that is still possible; see Future.cancel."""

    def is_running(self) -> bool:
        """Whether the call has been given to a child."""


class Future(futures.Future[T], Generic[T]):
    """Result of a call, now or later; also awaitable."""

    # The call answers cancel() and running() until it is over. Without one the
    # standard library's states do.
    _call: Withdrawable | None = None

    if _IS_KNOWN:

        def __init__(self) -> None:
            # All that the standard library's has, but for its condition; every call makes one.
            self._condition = Wakening()  # type: ignore[assignment]
            self._state = PENDING
            self._result = None
            self._exception = None
            self._waiters = []
            self._done_callbacks: list[Callable[[futures.Future[T]], object]] = []

    def cancel(self, *, running: CancelMode = "no") -> bool:
        """Cancel the call if it has not started.

        Args:
            running: What to do if it has: nothing; "ask" lets it see
                `current().cancelled`; "kill" kills the child that runs it.

        Returns:
            Whether the call is cancelled now.
        """
        call = self._call
        if call is None or self.done():
            return super().cancel()
        return call.withdraw(running)

    def running(self) -> bool:
        """Whether the call has been given to a thread or child and is not done."""
        call = self._call
        if call is None or self.done():
            return super().running()
        return call.is_running()

    def __await__(self) -> Generator[Any, None, T]:
        return asyncio.wrap_future(self).__await__()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._subject()}: {_state_of(self)}>"

    def _subject(self) -> str:
        """Return what the future is of, for people."""
        return getattr(self._call, "name", "") or "a call"

    def _forget_call(self) -> None:
        """Let go of the call, whose memory a kept future must not keep; only when done."""
        self._call = None

    def _end_cancelled(self) -> None:
        """Cancel for good and tell those who wait; the owner has withdrawn the call."""
        super().cancel()
        self.set_running_or_notify_cancel()
        self._forget_call()

    def _invoke_callbacks(self) -> None:
        # The standard library stops at a callback that raises SystemExit: those
        # behind it, such as an asyncio loop's, would wait for ever.
        for callback in self._done_callbacks:
            try:
                callback(self)
            except BaseException:
                log.exception("future_callback_failed callback=%r", callback)


def _state_of(future: futures.Future[Any]) -> str:
    # Of a user's object only its class is shown: its own repr may raise, or be a megabyte.
    with future._condition:
        if future._state != FINISHED:
            return {CANCELLED_AND_NOTIFIED: "cancelled"}.get(future._state, future._state.lower())
        error = future._exception
    if error is not None:
        return f"raised {type(error).__name__}"
    return f"returned {type(future._result).__name__}"
