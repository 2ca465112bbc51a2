"""Current: what a running call may know about itself, and say.

`current()` finds the call through a context variable, so it also works in the
asyncio tasks a call starts; a thread that the *call itself* starts has an empty
context and must be handed the object. Whoever runs calls (a pool thread, a
child) makes one Current per call and runs it with `run_with`.

Children import this module before anything else: it imports almost nothing.
"""

from collections.abc import Callable
from contextvars import ContextVar
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

T = TypeVar("T")

# Takes (done, total, note); called in the thread that runs the call.
Reporter = Callable[[float, float, str], None]


def discard(done: float, total: float, note: str) -> None:
    """Report to nobody: the caller did not ask for progress."""


def _never() -> bool:
    return False


# The note of a report that says what the call does about others, which is what `done` holds: it
# waits for one, does so no more, or has asked for long whether one is done. Never late, because
# such a report is complete.
WAITS: Final = "\0waits"
BEGINS: Final = 3.0
ASKS: Final = 2.0
GOES_ON: Final = 1.0
# Who asks again after so many seconds does nothing else.
ASK_SECONDS: Final = 1.0


class Current:
    """The running call, seen from inside.

    Attributes:
        attempt: Number of the attempt, from 1; 0 when the call is no job and has no retries.
        worker: Name of the thread or child that runs it.
        headers: What the job was submitted with, such as a trace context.
    """

    # A frozen dataclass takes three times as long to make, and there is one per call.
    __slots__ = (
        "__weakref__",
        "_asked_at",
        "_is_cancelled",
        "_job",
        "_report",
        "attempt",
        "headers",
        "worker",
    )

    def __init__(
        self,
        worker: str,
        report: Reporter = discard,
        is_cancelled: Callable[[], bool] = _never,
        *,
        job_id: "str | UUID" = "",
        attempt: int = 0,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.worker = worker
        # The text of an id takes as long to make as all the rest here, and few calls ask for it.
        self._job = job_id
        self.attempt = attempt
        self.headers = dict(headers) if headers else {}
        self._report = report
        self._is_cancelled = is_cancelled
        self._asked_at = 0.0

    @property
    def job_id(self) -> str:
        """Id of the job; "" when the call is not a job."""
        return str(self._job)

    @property
    def is_job(self) -> bool:
        """Whether it is one of a job."""
        return bool(self._job)

    def progress(self, done: float, total: float = 0, note: str = "") -> None:
        """Say how far the call is; total=0 means unknown."""
        self._report(done, total, note)

    def wait(self, *, begins: bool) -> None:
        """Say that the call waits for another, or does so no more: its place may be lent."""
        self._report(BEGINS if begins else GOES_ON, 1, WAITS)

    def ask(self) -> None:
        """Note that it asks whether another is done, which is not: who asks for long waits."""
        now = monotonic()
        if not self._asked_at:
            self._asked_at = now
        elif now - self._asked_at >= ASK_SECONDS:
            self._asked_at = now
            self._report(ASKS, 1, WAITS)

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the result any more: a long call should stop."""
        return self._is_cancelled()

    @property
    def due_at(self) -> "datetime | None":
        """For which due time a schedule has made this job; None: it was made otherwise."""
        # A file more, which only those load who ask.
        from lightwork.schedule.ids import due_at_of  # noqa: PLC0415 - see above

        return due_at_of(self.job_id)

    def __repr__(self) -> str:
        job = f" job={self.job_id} attempt={self.attempt}" if self._job else ""
        return f"<Current worker={self.worker}{job}>"


_current: ContextVar[Current] = ContextVar("lightwork.current")


class _Alone:
    """In a child: the job of the plain call that runs, which is the only one."""

    is_child = False
    job: Current | None = None


alone: Final = _Alone()


def current() -> Current:
    """Return the call that runs here.

    Raises:
        UsageError: No call of an executor runs in this context.
    """
    found = _current.get(None)
    if found is not None:
        return found
    # Two files more, which no child should load at its start.
    from lightwork.errors import UsageError  # noqa: PLC0415 - see above

    raise UsageError(
        "current() was called outside of a call: expected code that an executor or worker runs; "
        "in a thread that the call started itself, pass it the object"
    )


def is_call_cancelled() -> bool:
    """Return whether a call runs here whose result nobody wants any more."""
    found = _current.get(None)
    return found is not None and found.cancelled


def report_progress(done: float, total: float = 0, note: str = "") -> None:
    """Say how far the call is that runs here; outside of a call nobody hears it."""
    found = _current.get(None)
    if found is not None:
        found.progress(done, total, note)


def waiting_job() -> Current | None:
    """Return the call that runs here, if it is that of a job, which may lend its place.

    In a child also in threads that the call has started, whose context is empty.
    """
    found = _current.get(None)
    if found is None:
        return alone.job
    return found if found.is_job else None


def enter(call: Current) -> None:
    """Have `current()` find `call` for as long as this context lasts."""
    _current.set(call)


def run_with(
    call: Current, fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> T:
    """Return `fn(*args, **kwargs)`, run so that `current()` finds `call`."""
    token, before = _current.set(call), alone.job
    if alone.is_child and call._job:
        alone.job = call
    try:
        return fn(*args, **kwargs)
    finally:
        alone.job = before
        _current.reset(token)
        # An error's traceback holds this frame: without this, through `call` and
        # the future it belongs to, the error would hold itself.
        del call, token, before, args, kwargs


class Announced:
    """A function that says when it begins; only where somebody listens for that.

    By a report of progress whose note nobody else writes: it comes in its place among those.
    """

    NOTE: Final = "\0begun"

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.fn = fn
        # Names the call in errors of the pool.
        self.__qualname__ = getattr(fn, "__qualname__", type(fn).__qualname__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Say so, then call it."""
        call = current()
        call.progress(call.attempt, 0, self.NOTE)
        return self.fn(*args, **kwargs)


class AnnouncedCoroutine(Announced):
    """The same for a coroutine function."""

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Say so, then await it."""
        call = current()
        call.progress(call.attempt, 0, self.NOTE)
        return await self.fn(*args, **kwargs)
