"""Progress: from what a call says to the listener that its submitter named."""

import logging
from collections.abc import Callable
from typing import Final

from lightwork.model import Progress
from lightwork.pool.current import Reporter, discard
from lightwork.pool.log_failure import log_failure

LOGGER: Final = logging.getLogger("lightwork.pool")


def reporter_for(on_progress: Callable[[Progress], None] | None) -> Reporter:
    """Return what a call may call freely: a listener's mistake must not fail it."""
    if on_progress is None:
        return discard

    def report(done: float, total: float, note: str) -> None:
        try:
            on_progress(Progress(done=done, total=total, note=note))
        except KeyboardInterrupt:
            raise  # Ctrl-C is about the program.
        except BaseException:  # Not the call's fault: told to the log only.
            log_failure(LOGGER, "on_progress_failed listener=%r", on_progress)

    return report
