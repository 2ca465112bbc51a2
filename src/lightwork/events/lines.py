"""Lines: an event as a line of a log, `job_retried job=... attempt=2 error=...`.

The one place where events become log records; the object goes along as `record.event`, for
whoever shows them otherwise.
"""

import logging
from typing import Any, Final

from lightwork.events.kinds import (
    Claimed,
    Event,
    Progressed,
    Refused,
    Rescued,
    Started,
    WorkerLeaseLost,
    values_of,
)
from lightwork.model import ErrorInfo, Progress

log = logging.getLogger("lightwork.events")

# Characters of an error.
_MOST: Final = 200
_LEVELS: Final[dict[type[Event], int]] = {
    Claimed: logging.DEBUG,
    Started: logging.DEBUG,
    Progressed: logging.DEBUG,
    Rescued: logging.DEBUG,
    Refused: logging.WARNING,
    WorkerLeaseLost: logging.WARNING,
}


def is_logged(kind: type[Event]) -> bool:
    """Whether anybody wants to see such events in a log."""
    return log.isEnabledFor(_level_of(kind))


def log_event(event: Event) -> None:
    """Write an event into the log."""
    level = _level_of(type(event))
    if log.isEnabledFor(level):
        log.log(level, "%s", _Line(event), extra={"event": event})


class _Line:
    """Becomes text when somebody reads it."""

    def __init__(self, event: Event) -> None:
        self._event = event

    def __str__(self) -> str:
        values = (f"{name}={_text(value)}" for name, value in values_of(self._event))
        return " ".join([self._event.word, *values])


def _level_of(kind: type[Event]) -> int:
    return _LEVELS.get(kind, logging.INFO)


def _text(value: Any) -> str:
    if isinstance(value, ErrorInfo):
        return f"{value.type}: {value.text}".splitlines()[0][:_MOST]
    if isinstance(value, Progress):
        return f"{value.done:g}/{value.total:g}"
    return f"{value:g}" if isinstance(value, float) else str(value)
