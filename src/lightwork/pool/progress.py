"""Progress: from what a call says to its future, and to the listener that was named."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from lightwork.model import Progress
from lightwork.pool.current import Reporter
from lightwork.pool.future import Future
from lightwork.pool.log_failure import log_failure

LOGGER: Final = logging.getLogger("lightwork.pool")

Listener = Callable[[Progress], object]


def reporter_for(on_progress: Listener | None, future: Future[Any]) -> Reporter:
    """Return what a call may call freely: a listener's mistake must not fail it."""
    return partial(report, on_progress, future)


def report(
    on_progress: Listener | None, future: Future[Any], done: float, total: float, note: str
) -> None:
    """Take in what a call has said."""
    progress = future._progress = Progress(done=done, total=total, note=note)
    if on_progress is not None:
        tell(on_progress, progress)


def tell(on_progress: Listener, progress: Progress) -> None:
    """Tell a listener; whatever it raises goes to the log only."""
    try:
        on_progress(progress)
    except KeyboardInterrupt:
        raise  # Ctrl-C is about the program.
    except BaseException:  # Not the call's fault: told to the log only.
        log_failure(LOGGER, "on_progress_failed listener=%r", on_progress)
