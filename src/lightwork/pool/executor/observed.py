"""Observed: one call of an executor that has listeners; what becomes of it, as events.

Only such an executor imports this. Its calls cost some 20 us more; without listeners a call costs
one look at an attribute. Events are told where they are noticed, in the pool's
own threads, as callbacks of futures are.
"""

import uuid
from collections.abc import Callable
from concurrent import futures
from typing import Any

from lightwork.error_info import describe_error
from lightwork.errors import WorkerLost
from lightwork.events import kinds
from lightwork.events.listeners import Listeners
from lightwork.model import Progress
from lightwork.pool.call.coroutine_function import is_coroutine_function
from lightwork.pool.call.current import Announced, AnnouncedCoroutine
from lightwork.pool.call.future import Future
from lightwork.pool.call.options import CallOptions
from lightwork.pool.call.reporter import Listener, Observer, tell
from lightwork.retry import snooze_of

Start = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any], CallOptions], Future[Any]]


class Observed(Observer):
    """Hears what becomes of one call."""

    def __init__(self, listeners: Listeners, fn: Callable[..., Any], options: CallOptions) -> None:
        self._listeners = listeners
        self._heard: Listener | None = options.on_progress
        self._attempt = options.attempt
        self._known: dict[str, Any] = {
            "job_id": uuid.uuid4(),
            "task": str(getattr(fn, "__qualname__", type(fn).__qualname__)),
        }

    def tell(self, kind: type[kinds.JobEvent], **values: Any) -> None:
        """Tell something about the call."""
        if self._listeners.hears(kind):
            self._listeners.tell(kind(**self._known, attempt=self._attempt, **values))

    def __call__(self, progress: Progress) -> None:
        """Hear how far it is."""
        if self._heard is not None:
            tell(self._heard, progress)
        self.tell(kinds.Progressed, progress=progress)

    def begun(self, attempt: int) -> None:
        """Hear that the function has begun."""
        self._attempt = attempt
        self.tell(kinds.Started)

    def again(self, error: BaseException, delay: float) -> None:
        """Hear that the attempt has ended by this, and another follows."""
        if snooze_of(error) is not None:
            self.tell(kinds.Snoozed, delay=delay)
        elif issubclass(type(error), WorkerLost):
            self.tell(kinds.Lost, error=describe_error(error)[0])
        else:
            self.tell(kinds.Retried, error=describe_error(error)[0], delay=delay)
        self._attempt += 1

    def end(self, future: futures.Future[Any]) -> None:
        """Hear that the call has ended."""
        if future.cancelled():
            self.tell(kinds.Cancelled)
        elif (error := future.exception()) is None:
            self.tell(kinds.Succeeded)
        else:
            kind = kinds.Quarantined if issubclass(type(error), WorkerLost) else kinds.Failed
            self.tell(kind, error=describe_error(error)[0])


def start_observed(
    start: Start,
    listeners: Listeners,
    fn: Callable[..., Any],
    call: tuple[tuple[Any, ...], dict[str, Any]],
    options: CallOptions,
) -> Future[Any]:
    """Start a call, and tell what becomes of it."""
    observed = Observed(listeners, fn, options)
    observed.tell(kinds.Submitted)
    run = fn
    if listeners.hears(kinds.Started):
        run = AnnouncedCoroutine(fn) if is_coroutine_function(fn) else Announced(fn)
    future = start(run, *call, options._replace(on_progress=observed))
    future.add_done_callback(observed.end)
    return future
