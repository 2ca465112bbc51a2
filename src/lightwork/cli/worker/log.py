"""Worker log: one short line per event of a worker, or one JSON object.

    12:00:01 succeeded script:square job 17 attempt 1

All comes from the logger "lightwork", which gets its only destination here: events as the
objects that they are (events/lines.py), everything else as its text. The root logger
belongs to the tasks and is left alone.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

import click

from lightwork.events.kinds import Event
from lightwork.terminal.answers import answers
from lightwork.terminal.happening import COLOURS, event_fields, event_line
from lightwork.terminal.output import has_colours, json_line, printable


class WorkerLog(logging.Handler):
    """Writes what a worker does.

    Args:
        json: One object a line on stdout, instead of text on stderr.
        quiet: Only what needs somebody's attention.
    """

    def __init__(self, *, json: bool, quiet: bool) -> None:
        super().__init__(logging.WARNING if quiet else logging.INFO)
        self.json = json
        self._stream: TextIO = answers() if json else sys.stderr
        self._colours = has_colours(self._stream)

    def install(self) -> None:
        """Become the only destination of the logger "lightwork"."""
        logger = logging.getLogger("lightwork")
        logger.handlers[:] = [self]
        logger.setLevel(self.level)
        logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line of the loop."""
        event = getattr(record, "event", None)
        level = record.levelname.lower()
        if not isinstance(event, Event):
            self._write_text(level, record.getMessage())
        elif self.json:
            self.write_json(level=level, **event_fields(event))
        else:
            # Made printable part by part: the colours are not.
            self._write(level, event_line(event, colours=self._colours))

    def write_json(self, **values: Any) -> None:
        """Write one object."""
        self._print(json_line({"at": datetime.now(UTC)} | values))

    def _write_text(self, level: str, text: str) -> None:
        word, _, rest = text.partition(" ")
        if self.json:
            self.write_json(level=level, event=word, text=rest)
        else:
            self._write(level, printable(f"{word.replace('_', ' ')} {rest}"))

    def _write(self, level: str, text: str) -> None:
        shown = f"{level} " if level != "info" else ""
        if self._colours and shown:
            shown = click.style(shown, fg=COLOURS.get(level))
        self._print(f"{datetime.now().astimezone():%H:%M:%S} {shown}{text.rstrip()}")

    def _print(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            # Whoever read this is gone; that must not cost a job.
            return
