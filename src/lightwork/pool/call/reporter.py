"""Reporter: from what a call says to its future, and to the listener that was named."""

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from lightwork.pool.call.current import WAITS, Announced, Reporter
from lightwork.pool.call.future import Future, note_progress
from lightwork.pool.call.log_failure import log_failure

if TYPE_CHECKING:
    from lightwork.model import Progress

LOGGER: Final = logging.getLogger("lightwork.pool")

Listener = Callable[["Progress"], object]


class Observer:
    """An on_progress that wants to hear of more; see executor/observed.py."""

    def __call__(self, progress: "Progress") -> None:
        """Hear how far the call is."""

    def begun(self, attempt: int) -> None:
        """Hear that the function has begun."""

    def waits(self, what: float) -> None:
        """Hear that the call waits for another, asks for it, or goes on; see current.py."""

    def again(self, error: BaseException, delay: float) -> None:
        """Hear that the attempt has ended by this, and another follows."""


def reporter_for(on_progress: Listener | None, future: Future[Any]) -> Reporter:
    """Return what a call may call freely: a listener's mistake must not fail it."""
    return partial(report, on_progress, future)


def report(
    on_progress: Listener | None, future: Future[Any], done: float, total: float, note: str
) -> None:
    """Take in what a call has said."""
    if note == Announced.NOTE:
        if isinstance(on_progress, Observer):
            on_progress.begun(int(done))
        return
    if note == WAITS:
        if isinstance(on_progress, Observer):
            on_progress.waits(done)
        return
    # Dataclasses: 15 ms to import, and most calls report nothing.
    from lightwork.model import Progress  # noqa: PLC0415 - see above

    progress = Progress(done=done, total=total, note=note)
    note_progress(future, progress)
    if on_progress is not None:
        tell(on_progress, progress)


def tell(on_progress: Listener, progress: "Progress") -> None:
    """Tell a listener; whatever it raises goes to the log only."""
    try:
        on_progress(progress)
    except KeyboardInterrupt:
        raise  # Ctrl-C is about the program.
    except BaseException:  # Not the call's fault: told to the log only.
        log_failure(LOGGER, "on_progress_failed listener=%r", on_progress)
