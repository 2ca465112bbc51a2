"""Future: the caller's handle on a coming outcome, standard library semantics.

A real subclass of `concurrent.futures.Future`, because `wait()` and
`as_completed()` reach into its internals. Adds only that it can be awaited and
that a *running* call can be asked or made to end.
"""

import logging
import sys
from collections.abc import Callable, Generator
from concurrent import futures
from concurrent.futures._base import CANCELLED_AND_NOTIFIED, FINISHED, PENDING
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, NoReturn, Protocol, TypeVar

from lightwork.locks.lazy_condition import LazyCondition
from lightwork.locks.uninterrupted import is_main_thread
from lightwork.pool.call.log_failure import log_failure

if TYPE_CHECKING:
    import asyncio

    from lightwork.model import Progress

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

_INTERRUPTS: Final = (KeyboardInterrupt, SystemExit)
_TRUTH: Final = ("__bool__", "__len__")
# Before Python 3.12 an asyncio future that is given a StopIteration raises instead of ending.
_REFUSES_STOP: Final = sys.version_info < (3, 12)


class Withdrawable(Protocol):
    """The call behind a future, in a pool that can take calls back."""

    def withdraw(self, mode: CancelMode) -> bool:
        """Take the call back, if that is still possible; see Future.cancel."""

    def is_running(self) -> bool:
        """Whether the call has been given to a child."""

    def has_begun(self) -> bool:
        """Whether the function is known to have begun; see Future.has_begun."""


class Future(futures.Future[T], Generic[T]):
    """Result of a call, now or later; also awaitable.

    Args:
        call: Answers cancel() and running() until it is over. Without one the standard
            library's states do.
    """

    __module__ = "lightwork"

    _call: Withdrawable | None = None

    def __init__(self, call: Withdrawable | None = None) -> None:
        if call is not None:
            self._call = call
        if not _IS_KNOWN:
            super().__init__()
            return
        # All that the standard library's has, but for its condition; every call makes one.
        self._condition = LazyCondition()  # type: ignore[assignment]
        self._state = PENDING
        self._result = None
        self._exception = None
        self._waiters = []
        self._done_callbacks: list[Callable[[futures.Future[T]], object]] = []

    # The last report of the call.
    _progress: "Progress | None" = None

    @property
    def progress(self) -> "Progress | None":
        """What the call has last said with `current().progress`; None: nothing yet."""
        return self._progress

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

    async def cancel_async(self, *, running: CancelMode = "no") -> bool:
        """Do the same without holding up the event loop, at every reach."""
        return self.cancel(running=running)

    def running(self) -> bool:
        """Whether the call has been given to a thread or child and is not done."""
        call = self._call
        if call is None or self.done():
            return super().running()
        return call.is_running()

    def has_begun(self) -> bool:
        """Whether the function itself is known to have begun, and is not done.

        `running()` says less: a child may hold calls that wait behind the one it runs.
        """
        call = self._call
        if call is None or self.done():
            return super().running()
        return call.has_begun()

    def set_exception(self, exception: BaseException | None) -> None:
        """End it with an exception, whatever its class makes of attributes and truth."""
        if exception is not None and not _is_plainly_true(type(exception)):
            # On this object alone: the tracebacks of all others have no frame of ours.
            self._Future__get_result = partial(_raise, exception)
        super().set_exception(exception)

    def __await__(self) -> Generator[Any, None, T]:
        # 50 ms to import, which whoever awaits has paid already.
        import asyncio  # noqa: PLC0415 - see above

        waiting = asyncio.wrap_future(self)
        if _REFUSES_STOP:
            self.add_done_callback(partial(_end_refused, waiting))
        return waiting.__await__()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._subject()}: {_state_of(self)}>"

    def _subject(self) -> str:
        """Return what the future is of, for people."""
        return getattr(self._call, "name", "") or "a call"

    def _invoke_callbacks(self) -> None:
        # The standard library stops at a callback that raises SystemExit: those
        # behind it, such as an asyncio loop's, would wait for ever.
        interrupt: BaseException | None = None
        for callback in self._done_callbacks:
            try:
                callback(self)
            except BaseException as error:
                if is_main_thread() and issubclass(type(error), _INTERRUPTS):
                    # Most likely a Ctrl-C, which came while this one ran; no pool's thread.
                    interrupt = error
                else:
                    log_failure(log, "future_callback_failed callback=%r", callback)
        if interrupt is not None:
            try:
                raise interrupt
            finally:
                # The traceback holds this frame.
                del interrupt


def bind(future: Future[Any], call: Withdrawable) -> None:
    """Let the call answer for the future from now on."""
    future._call = call


def release(future: Future[Any]) -> None:
    """Let go of the call, whose memory a kept future must not keep."""
    future._call = None


def note_progress(future: Future[Any], progress: "Progress") -> bool:
    """Remember what the call has said last; return whether that is news."""
    before, future._progress = future._progress, progress
    return progress != before


def end_cancelled(future: Future[Any]) -> None:
    """Cancel it for good and tell those who wait; the owner has withdrawn the call."""
    try:
        futures.Future.cancel(future)
    finally:  # A Ctrl-C in a callback.
        future.set_running_or_notify_cancel()
        release(future)


def _state_of(future: futures.Future[Any]) -> str:
    # Of a user's object only its class is shown: its own repr may raise, or be a megabyte.
    with future._condition:
        if future._state != FINISHED:
            return {CANCELLED_AND_NOTIFIED: "cancelled"}.get(future._state, future._state.lower())
        error = future._exception
    if error is not None:
        return f"raised {type(error).__name__}"
    return f"returned {type(future._result).__name__}"


def _is_plainly_true(kind: type[BaseException]) -> bool:
    """Whether nothing in the class decides about the truth of its exceptions.

    Before Python 3.13.4 `Future.result` asks for it, and takes a false one for no exception.
    """
    try:
        return not any(name in vars(base) for base in kind.__mro__ for name in _TRUTH)
    except BaseException:  # Its metaclass has ideas of its own.
        return False


def _raise(error: BaseException) -> NoReturn:
    try:
        raise error
    finally:
        # The traceback holds this frame; without this the exception holds itself.
        del error


def _end_refused(waiting: "asyncio.Future[Any]", future: futures.Future[Any]) -> None:
    """End the wait of a coroutine for a future that has failed with StopIteration."""
    if issubclass(type(future._exception), StopIteration):
        error = RuntimeError("the call raised StopIteration, which no coroutine can be given")
        error.__cause__ = future._exception
        with suppress(RuntimeError):  # The loop is closed: nobody waits any more.
            waiting.get_loop().call_soon_threadsafe(_end, waiting, error)


def _end(waiting: "asyncio.Future[Any]", error: RuntimeError) -> None:
    if not waiting.done():
        waiting.set_exception(error)
