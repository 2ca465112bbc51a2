"""Worker log: one short line per event of a worker, or one JSON object.

    12:00:01 succeeded script:square job 17 attempt 1

Ends of attempts come as the worker's own objects (they name the task and the
error); everything else comes from the logger "lightwork", which gets its only
destination here. The root logger belongs to the tasks and is left alone.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import click

from lightwork.cli.answers import answers
from lightwork.cli.output import STATE_COLOURS, first_line, has_colours, json_line, printable
from lightwork.lifecycle import AttemptEnd, Failed, Lost, Quarantined, Retried
from lightwork.model import Attempt, ErrorInfo
from lightwork.tasks import short_name
from lightwork.work.worker import Ends

_COLOURS: Final = STATE_COLOURS | {
    "retried": "yellow",
    "released": "cyan",
    "lost": "red",
    "quarantined": "red",
    "warning": "yellow",
    "error": "red",
    "critical": "red",
}
# The loop logs the end of each attempt too; ours says more.
_TOLD_HERE: Final = tuple(
    f"job_{word} "
    for word in ("succeeded", "retried", "failed", "cancelled", "released", "lost", "quarantined")
)


class WorkerLog(logging.Handler):
    """Writes what a worker does.

    Args:
        json: One object a line on stdout, instead of text on stderr.
        quiet: Only what needs somebody's attention.
    """

    def __init__(self, *, json: bool, quiet: bool) -> None:
        super().__init__(logging.WARNING if quiet else logging.INFO)
        self.json = json
        self._quiet = quiet
        self._stream: TextIO = answers() if json else sys.stderr
        self._colours = has_colours(self._stream)

    def install(self) -> None:
        """Become the only destination of the logger "lightwork"."""
        logger = logging.getLogger("lightwork")
        logger.handlers[:] = [self]
        logger.setLevel(self.level)
        logger.propagate = False

    def note_ends(self, ends: Ends) -> None:
        """Write how attempts ended, as the store has recorded it."""
        if not self._quiet:
            for attempt, end in ends:
                self._note_end(attempt, end)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line of the loop."""
        text = record.getMessage()
        if record.levelno == logging.INFO and text.startswith(_TOLD_HERE):
            return
        event, _, rest = text.partition(" ")
        level = record.levelname.lower()
        if self.json:
            self.write_json(level=level, event=event, text=rest)
        else:
            words = event.replace("_", " ")
            self._write(level if record.levelno > logging.INFO else "", f"{words} {rest}")

    def write_json(self, **values: Any) -> None:
        """Write one object."""
        self._print(json_line({"at": datetime.now(UTC)} | values))

    def _note_end(self, attempt: Attempt, end: AttemptEnd) -> None:
        word, error = type(end).__name__.lower(), _error_of(end)
        if self.json:
            self.write_json(
                level="info",
                event=f"job_{word}",
                job=attempt.job_id,
                seq=attempt.seq,
                task=attempt.task,
                queue=attempt.policy.queue,
                attempt=attempt.number,
                error=error and {"type": error.type, "text": error.text},
            )
            return
        again = f" again in {end.delay:.1f} s" if isinstance(end, Retried) else ""
        why = f" {error.type}: {first_line(error.text)}" if error else ""
        where = f"{short_name(attempt.task)} job {attempt.seq} attempt {attempt.number}"
        self._write(word, f"{where}{again}{why}")

    def _write(self, word: str, text: str) -> None:
        shown = f"{word} " if word else ""
        if self._colours and word:
            shown = click.style(shown, fg=_COLOURS.get(word))
        self._print(f"{datetime.now().astimezone():%H:%M:%S} {shown}{printable(text).rstrip()}")

    def _print(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            # Whoever read this is gone; that must not cost a job.
            return


def _error_of(end: AttemptEnd) -> ErrorInfo | None:
    return end.error if isinstance(end, Retried | Failed | Lost | Quarantined) else None
