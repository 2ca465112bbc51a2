"""Current: what a running call may know about itself, and say.

`current()` finds the call through a context variable, so it also works in the
asyncio tasks a call starts; a thread that the *call itself* starts has an empty
context and must be handed the object. Whoever runs calls (a pool thread, a
child) makes one Current per call and runs it with `run_with`.

Children import this module before anything else: it imports almost nothing.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

# Takes (done, total, note); called in the thread that runs the call.
Reporter = Callable[[float, float, str], None]


def discard(done: float, total: float, note: str) -> None:
    """Report to nobody: the caller did not ask for progress."""


def _never() -> bool:
    return False


class Current:
    """The running call, seen from inside.

    Attributes:
        job_id: Id of the job; "" when the call is not a job.
        attempt: Number of the attempt, from 1; 0 when the call is no job and has no retries.
        worker: Name of the thread or child that runs it.
    """

    # A frozen dataclass takes three times as long to make, and there is one per call.
    __slots__ = ("__weakref__", "_is_cancelled", "_report", "attempt", "job_id", "worker")

    def __init__(
        self,
        worker: str,
        report: Reporter = discard,
        is_cancelled: Callable[[], bool] = _never,
        *,
        job_id: str = "",
        attempt: int = 0,
    ) -> None:
        self.worker = worker
        self.job_id = job_id
        self.attempt = attempt
        self._report = report
        self._is_cancelled = is_cancelled

    def progress(self, done: float, total: float = 0, note: str = "") -> None:
        """Say how far the call is; total=0 means unknown."""
        self._report(done, total, note)

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the result any more: a long call should stop."""
        return self._is_cancelled()

    def __repr__(self) -> str:
        job = f" job={self.job_id} attempt={self.attempt}" if self.job_id else ""
        return f"<Current worker={self.worker}{job}>"


_current: ContextVar[Current] = ContextVar("lightwork.current")


def current() -> Current:
    """Return the call that runs here.

    Raises:
        UsageError: No call of an executor runs in this context.
    """
    found = _current.get(None)
    if found is not None:
        return found
    # errors.py needs concurrent.futures.process, 45 ms that no child should pay at its start.
    from lightwork.errors import UsageError  # noqa: PLC0415

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


def enter(call: Current) -> None:
    """Have `current()` find `call` for as long as this context lasts."""
    _current.set(call)


def run_with(
    call: Current, fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> T:
    """Return `fn(*args, **kwargs)`, run so that `current()` finds `call`."""
    token = _current.set(call)
    try:
        return fn(*args, **kwargs)
    finally:
        _current.reset(token)
        # An error's traceback holds this frame: without this, through `call` and
        # the future it belongs to, the error would hold itself.
        del call, token, args, kwargs
